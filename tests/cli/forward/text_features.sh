# Texts alone give text_features.
"$ALIGN" forward --model "$DATA/models/tiny" --inputs "$DATA/models/tiny/runs/text_features.safetensors" --output o.safetensors --quiet  && "$COMPARE" "$DATA/models/tiny/runs/text_features.safetensors" o.safetensors 1e-5 | sort
