# A picture and the labels from standard input.
cd "$DATA/hub"
"$ALIGN" classify - --labels-file - --model . <tall.png
