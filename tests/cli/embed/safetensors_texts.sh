# Only what there is.
cd "$DATA/hub"
"$ALIGN" embed --text "a photo of a cat" "An image of the DOG, running!" "café 中" --model . --output "$TMP/o.safetensors" && "$COMPARE" golden.safetensors "$TMP/o.safetensors" 1e-5
