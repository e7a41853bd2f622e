# AlignProcessor's tensors, bit for bit.
cd "$DATA/hub"
"$ALIGN" process --image tall.png wide.jpg --text "a photo of a cat" "An image of the DOG, running!" "café 中" --model . --output "$TMP/o.safetensors" && "$COMPARE" golden.safetensors "$TMP/o.safetensors" 0
