# Another model's vectors do not mix with these.
cp "$DATA/hub/tall.png" a.png
"$ALIGN" index a.png --model "$DATA/hub" --store p.db
"$ALIGN" index a.png --model "$MODELS/emoji" --store p.db
