# The same as JSON.
mkdir photos && cp "$DATA/hub/tall.png" photos/a.png && echo broken >photos/z.jpg
"$ALIGN" index photos --model "$DATA/hub" --store p.db --json --quiet | sed "s|$TMP|T|g"
