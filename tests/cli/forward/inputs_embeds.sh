# Embeddings instead of ids.
"$ALIGN" forward --model "$DATA/models/tiny" --inputs "$DATA/models/tiny/runs/inputs_embeds.safetensors" --output o.safetensors --quiet --tower text && "$COMPARE" "$DATA/models/tiny/runs/inputs_embeds.safetensors" o.safetensors 1e-5 | sort
