# Texts alone.
"$ALIGN" process --text cat --model "$DATA/hub" --output o.safetensors && "$ALIGN" inspect o.safetensors
