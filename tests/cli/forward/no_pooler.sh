# AlignTextModel without its pooler.
"$ALIGN" forward --model "$DATA/models/tiny" --inputs "$DATA/models/tiny/runs/no_pooler.safetensors" --output o.safetensors --quiet --tower text --no-pooler && "$COMPARE" "$DATA/models/tiny/runs/no_pooler.safetensors" o.safetensors 1e-5 | sort
