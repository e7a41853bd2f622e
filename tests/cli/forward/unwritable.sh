# An output folder that does not exist.
"$ALIGN" forward --model "$DATA/models/tiny" --inputs "$DATA/models/tiny/runs/forward.safetensors" --output none/o.safetensors
