# More rows than the file has.
"$ALIGN" bench --model "$DATA/models/tiny" --inputs "$DATA/models/tiny/runs/forward.safetensors" --batch 1000
