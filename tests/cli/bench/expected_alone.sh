# Nothing to compare what is expected with.
"$ALIGN" bench --model "$DATA/models/tiny" --expected E.safetensors
