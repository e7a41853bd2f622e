# Two files that exchanged their names.
mkdir photos && cp "$DATA/hub/tall.png" photos/a && cp "$DATA/hub/wide.jpg" photos/b
"$ALIGN" index photos/a photos/b --model "$DATA/hub" --store p.db
mv photos/a photos/c && mv photos/b photos/a && mv photos/c photos/b
"$ALIGN" index photos/a photos/b --model "$DATA/hub" --store p.db
"$ALIGN" search --image "$DATA/hub/tall.png" --model "$DATA/hub" --store p.db --top 1 --paths | sed "s|$TMP|T|"
