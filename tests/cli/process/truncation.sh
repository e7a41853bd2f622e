# Cut at a length.
"$ALIGN" process --text "a b c d e f" --max-length 5 --truncation --model "$DATA/hub" --output o.safetensors && "$ALIGN" inspect o.safetensors | head -n 1
