# Pictures that cannot be read do not stop the others.
echo text >broken.png
cd "$DATA/hub"
"$ALIGN" classify tall.png none.png "$TMP/broken.png" wide.jpg --labels "cat,dog,a photo of a cat" --model . --json
