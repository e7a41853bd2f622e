# Tensors that are no inputs: a warning.
"$ALIGN" forward --model "$DATA/models/tiny" --inputs "$DATA/models/tiny/runs/fewer_texts.safetensors" --output o.safetensors && ls
