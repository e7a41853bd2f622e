# Killed at any moment, an index is whole, and the same command completes it.
mkdir photos
for n in $(seq 1 200); do
    { cat "$DATA/hub/wide.jpg" && printf '%d' $n; } >photos/$n.jpg
done
for moment in 0 1 2 3 4 5 6 7; do
    "$ALIGN" index photos --model "$DATA/hub" --store p.db --threads 1 >/dev/null &
    index=$!
    for wait in $(seq 1 $((moment * 20))); do [ -d photos ]; done
    kill -9 $index 2>/dev/null
    wait $index 2>/dev/null
done
"$ALIGN" index photos --model "$DATA/hub" --store p.db >/dev/null
"$ALIGN" index photos --model "$DATA/hub" --store p.db
