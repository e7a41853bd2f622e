# The same choice as everywhere.
P="$DATA/processor/pictures"
"$ALIGN" similarity --image "$P/exif1.jpg" "$P/exif6.jpg" --text cat --model "$DATA/hub" --json --orientation ignore >o
sed 's/.*"logits_per_image":\[\[\(.*\)\],\[\(.*\)\]\],"logits_per_text.*/\1 \2/' o | awk '{ print ($1 == $2) }'
