# An object a step, one of all steps, and the usual one. Products and weights are exact; times are whatever they are,
# and so are other bytes, which get fewer as steps are joined.
for tower in image text; do
    "$ALIGN" bench --model "$DATA/models/tiny" --tower $tower --batch 2 --seconds 1 --threads 2 --layers --json |
        sed 's/"\(ms\|share\|gmacs_s\|of_peak\|gb_s\|activation_bytes\|wall_ms\|peak_gmacs_s\|min_ms\|median_ms\|runs\)":[0-9.e+-]*/"\1":T/g
             s/"isa":"[a-z0-9]*"/"isa":I/'
done
