# Without a file the inputs are made up.
for tower in image text caption; do
    "$ALIGN" bench --model "$DATA/models/tiny" --tower $tower --batch 2 --seconds 1 --threads 1 --json |
        sed 's/"\(min_ms\|median_ms\)":[0-9.e-]*/"\1":T/g; s/"isa":"[a-z0-9]*"/"isa":I/'
done
