# Pictures are added once; what is unchanged is passed over.
mkdir -p photos/deep && cp "$DATA/hub/tall.png" photos/a.png && cp "$DATA/hub/wide.jpg" photos/deep/b.JPG
"$ALIGN" index photos --model "$DATA/hub" --store p.db
"$ALIGN" index photos --model "$DATA/hub" --store p.db
"$ALIGN" index ./photos/deep/ photos/a.png photos --model "$DATA/hub" --store p.db
"$ALIGN" index status --store p.db --json | sed 's/"model":"[^"]*"/"model":"M"/; s/"bytes":[0-9]*/"bytes":0/'
