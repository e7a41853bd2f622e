# Without the extras.
"$ALIGN" forward --model "$DATA/models/tiny" --inputs "$DATA/models/tiny/runs/forward.safetensors" --output o.safetensors --quiet  && "$COMPARE" "$DATA/models/tiny/runs/forward.safetensors" o.safetensors 1e-5 | sort
