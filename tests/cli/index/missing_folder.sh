# One of the folders is not there: the others are indexed, and it is said.
mkdir photos && cp "$DATA/hub/tall.png" photos/a.png
"$ALIGN" index none photos --model "$DATA/hub" --store p.db
