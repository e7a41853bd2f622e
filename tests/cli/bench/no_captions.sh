# A tower whose inputs the file lacks.
"$ALIGN" bench --model "$DATA/models/tiny" --inputs "$DATA/models/tiny/runs/forward.safetensors" --tower caption
