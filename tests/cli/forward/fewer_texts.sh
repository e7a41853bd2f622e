# Batches of two sizes.
"$ALIGN" forward --model "$DATA/models/tiny" --inputs "$DATA/models/tiny/runs/fewer_texts.safetensors" --output o.safetensors --quiet  && "$COMPARE" "$DATA/models/tiny/runs/fewer_texts.safetensors" o.safetensors 1e-5 | sort
