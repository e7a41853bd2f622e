# Sub-commands have a help of their own; a folder of such a name is meant by a slash.
"$ALIGN" index remove --help | head -n 1
mkdir status && cp "$DATA/hub/tall.png" status/a.png
"$ALIGN" index ./status --model "$DATA/hub" --store p.db
