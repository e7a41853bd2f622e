# A single label is certain.
cd "$DATA/hub"
"$ALIGN" classify tall.png --labels cat --model .
