# Files, and folders with what is in them, are taken out; vacuum gives the room back.
mkdir -p photos/x && cp "$DATA/hub/tall.png" photos/a.png && cp "$DATA/hub/tall.png" photos/x/b.png && cp "$DATA/hub/wide.jpg" photos/x/c.jpg
"$ALIGN" index photos --model "$DATA/hub" --store p.db
rm photos/a.png
"$ALIGN" index remove photos/a.png photos/x/ --store p.db
"$ALIGN" index status --store p.db --json | grep -o '"images.*texts":[0-9]*\|"holes":[0-9]*'
"$ALIGN" index vacuum --store p.db --json | grep -o '"holes":[0-9]*'
"$ALIGN" index status --store p.db --json | grep -o '"holes":[0-9]*'
"$ALIGN" index photos --model "$DATA/hub" --store p.db
