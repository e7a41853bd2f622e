# A NumPy file, and the same bytes on standard output.
cd "$DATA/hub"
"$ALIGN" embed --text "a photo of a cat" "An image of the DOG, running!" "café 中" --image tall.png wide.jpg --model . --output "$TMP/o.NPY"
"$ALIGN" embed --text "a photo of a cat" "An image of the DOG, running!" "café 中" --image tall.png wide.jpg --model . --output - >"$TMP/stdout.npy"
cmp "$TMP/o.NPY" "$TMP/stdout.npy" && wc -c <"$TMP/o.NPY" | tr -d ' ' && head -c 90 "$TMP/o.NPY" | tail -c 80
