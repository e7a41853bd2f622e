# A text of two halves.
"$ALIGN" process --text "a b" --text-pair "c d" --padding do_not_pad --model "$DATA/hub" --output o.safetensors && "$ALIGN" inspect o.safetensors | head -n 1
