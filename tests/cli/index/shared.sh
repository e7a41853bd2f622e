# Processes that share their arguments out fill one index; one is killed, and another takes up what it had.
shard() {
    rm -rf members && mkdir members
    for n in $(seq "$2" "$3"); do
        { cat "$DATA/hub/wide.jpg" && printf '%d' "$n"; } >"members/$n.jpg"
    done
    tar --format=ustar --sort=name -C members -cf "$1" .
}
for n in 1 2 3 4 5 6; do shard $n.tar ${n}01 ${n}40; done
echo "a caption" >texts.txt
index() { "$ALIGN" index *.tar --captions texts.txt --model "$DATA/hub" --threads 1 --share share --store "$@"; }
run() { exec "$ALIGN" index *.tar --captions texts.txt --model "$DATA/hub" --threads 1 --share share --store p.db >"$1"; }
list() { "$ALIGN" search x --model "$DATA/hub" --store "$1" --top 1000 --json | sed 's/"id":[0-9]*,//; s/\("score":-*[0-9]*\.[0-9][0-9]\)[0-9]*/\1/' | sort; }
index alone.db | sed 's/;.*//' && rm -r share
run first & victim=$!
run second & other=$!
until set -- share/*.done && [ -e "$2" ]; do
    kill -0 $victim || break
done
kill -9 $victim
{ wait $victim; } 2>/dev/null
wait $other || echo "failed"
list p.db >shared && list alone.db >alone && cmp shared alone && wc -l <shared | tr -d ' '
index p.db
"$ALIGN" index 1.tar --share share --prune --store p.db || echo $?
OMPI_COMM_WORLD_RANK=0 OMPI_COMM_WORLD_SIZE=4 "$ALIGN" index 1.tar --store p.db || echo $?
rm share/*.done && rmdir share
