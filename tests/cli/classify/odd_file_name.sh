# A file name that is not UTF-8 and breaks the line.
cp "$DATA/hub/tall.png" "$(printf 'a\n\351.png')"
"$ALIGN" classify *.png --labels cat --model "$DATA/hub" --json | cut -c 1-27
"$ALIGN" classify *.png --labels cat --model "$DATA/hub"
