# Padded to the longest.
"$ALIGN" process --text cat "dog, the cat" --padding longest --model "$DATA/hub" --output o.safetensors && "$ALIGN" inspect o.safetensors | head -n 1
