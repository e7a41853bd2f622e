# What happened to files is told apart by their content, and each item keeps its id.
mkdir photos && cp "$DATA/hub/tall.png" photos/a.png && cp "$DATA/hub/wide.jpg" photos/b.jpg
cp "$DATA/processor/pictures/420.jpg" photos/c.jpg
index() { "$ALIGN" index photos --model "$DATA/hub" --store p.db --json "$@" | sed "s|$TMP|T|g"; }
index
mv photos/a.png photos/moved.png && cp photos/b.jpg photos/copy.jpg && touch -d 2001-01-01 photos/b.jpg
cp "$DATA/processor/pictures/422.jpg" photos/c.jpg
echo "--- moved, copied, touched, changed"
index
rm photos/b.jpg
echo "--- gone, and kept"
index
echo "--- gone, and dropped"
index --prune
