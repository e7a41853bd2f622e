# A folder: pictures only, sorted, deep, nothing hidden, no loops.
mkdir -p photos/b photos/.hidden && ln -s .. photos/b/loop
for name in photos/c.PNG photos/b/a.png photos/.hidden.png photos/.hidden/a.png photos/notes.txt; do cp "$DATA/hub/tall.png" $name; done
cp "$DATA/hub/wide.jpg" photos/a.jpeg
"$ALIGN" classify photos --labels "cat,dog,a photo of a cat" --model "$DATA/hub" --json
