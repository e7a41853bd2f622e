# Padded to a length.
"$ALIGN" process --text cat --max-length 7 --model "$DATA/hub" --output o.safetensors && "$ALIGN" inspect o.safetensors | head -n 1
