# AlignTextModel with a head mask.
"$ALIGN" forward --model "$DATA/models/tiny" --inputs "$DATA/models/tiny/runs/head_mask.safetensors" --output o.safetensors --quiet --tower text --output-attentions && "$COMPARE" "$DATA/models/tiny/runs/head_mask.safetensors" o.safetensors 1e-5 | sort
