# A signal ends the work with all that was done stored; the same command goes on.
mkdir photos
for n in $(seq 1 400); do
    { cat "$DATA/hub/wide.jpg" && printf '%d' $n; } >photos/$n.jpg
done
: >lines
"$ALIGN" index photos --model "$DATA/hub" --store p.db --json >lines 2>said &
index=$!
until grep -q added lines; do
    kill -0 $index || break
done
kill -INT $index
wait $index
code=$?
{ [ $code -eq 1 ] && grep -q 'goes on from there' said; } || [ $code -eq 0 ] || echo "ended with $code"
"$ALIGN" index photos --model "$DATA/hub" --store p.db >/dev/null
"$ALIGN" index status --store p.db --json | grep -o '"images":[0-9]*'
