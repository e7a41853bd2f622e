# The same as a file of tensors.
cd "$DATA/hub"
"$ALIGN" embed --text "a photo of a cat" "An image of the DOG, running!" "café 中" --image tall.png wide.jpg --model . --output "$TMP/o.safetensors" && "$COMPARE" golden.safetensors "$TMP/o.safetensors" 1e-5
