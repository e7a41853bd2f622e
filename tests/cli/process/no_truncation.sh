# Not cut unless asked, like the reference.
"$ALIGN" process --text "a b c d e f" --max-length 5 --model "$DATA/hub" --output o.safetensors && "$ALIGN" inspect o.safetensors | head -n 1
