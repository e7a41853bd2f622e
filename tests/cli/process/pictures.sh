# Pictures alone.
"$ALIGN" process --image "$DATA/hub/tall.png" --model "$DATA/hub" --output o.safetensors && "$ALIGN" inspect o.safetensors
