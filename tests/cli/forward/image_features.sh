# Pictures alone give image_features.
"$ALIGN" forward --model "$DATA/models/tiny" --inputs "$DATA/models/tiny/runs/image_features.safetensors" --output o.safetensors --quiet  && "$COMPARE" "$DATA/models/tiny/runs/image_features.safetensors" o.safetensors 1e-5 | sort
