# One line for programs: the fields of bench/compare.py; times are whatever they are.
FILE="$DATA/models/tiny/runs/forward.safetensors"
"$ALIGN" bench --model "$DATA/models/tiny" --inputs "$FILE" --tower image --batch 2 --seconds 1 --threads 1 --json |
    sed 's/"\(min_ms\|median_ms\)":[0-9.e-]*/"\1":T/g; s/"isa":"[a-z0-9]*"/"isa":I/'
