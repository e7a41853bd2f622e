# Files that come, move, change and go are followed, in new folders too, until a signal ends it.
mkdir photos && cp "$DATA/hub/tall.png" photos/a.png
: >lines
"$ALIGN" index photos --model "$DATA/hub" --store p.db --watch --json >lines &
index=$!
wait_for() { until grep -q "$1" lines; do kill -0 $index 2>/dev/null || { echo "ended before: $1"; exit 1; }; done; }
wait_for '"event":"watching"'
mkdir -p photos/new/deep && cp "$DATA/hub/wide.jpg" photos/new/deep/b.jpg
wait_for '"added".*deep/b.jpg'
mv photos/new photos/old
wait_for '"moved".*old/deep/b.jpg'
cp "$DATA/processor/pictures/420.jpg" photos/old/deep/b.jpg
wait_for '"changed".*old/deep/b.jpg'
cp "$DATA/processor/pictures/422.jpg" part && mv part photos/c.jpg && ln -s a.png photos/link.png && : >photos/notes.txt
wait_for '"added".*/c.jpg'
wait_for '"added".*/link.png'
rm photos/a.png photos/link.png && rm -r photos/old
wait_for '"removed".*/a.png'
wait_for '"removed".*old/deep/b.jpg'
kill -TERM $index
wait $index
echo "ended with $?"
"$ALIGN" search x --model "$DATA/hub" --store p.db --json | grep -o 'photos/[^"]*'
