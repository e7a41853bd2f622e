# Links that lead back end; a folder that a link leads to is taken once, by its own name where it has one.
mkdir -p photos/a photos/z elsewhere && cp "$DATA/hub/tall.png" photos/z/1.png && cp "$DATA/hub/wide.jpg" elsewhere/2.jpg
ln -s .. photos/a/up && ln -s ../z photos/a/z && ln -s ../../elsewhere photos/a/out && ln -s ../photos elsewhere/back
"$ALIGN" index photos --model "$DATA/hub" --store p.db --json | sed "s|$TMP|T|g"
