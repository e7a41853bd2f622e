# A learning rate is a number.
for rate in fast 1e-3x nan inf 0x10 "" -1; do
    "$ALIGN" train --data "$MODELS/demo/pictures.tsv" --output out "--lr=$rate" 2>message
    [ $? -eq 2 ] || echo "$rate: wrong exit code"
    grep -F -- "--lr takes a number of at least 0, not '$rate'" message >/dev/null || cat message
done
