# A picture from standard input.
cd "$DATA/hub"
"$ALIGN" classify - --labels "cat,dog,a photo of a cat" --model . --json <tall.png
