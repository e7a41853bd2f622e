# Under mpirun, which tells processes who they are: one of them is killed, and the others do all of it.
. "$SOURCE/tests/cli/embed/shards.inc"
for needed in mpirun pgrep; do
    command -v $needed >/dev/null || { echo "skipped: no $needed here" && exit 77; }
done
for n in 1 2 3 4 5 6; do shard $n.tar ${n}01 ${n}60; done
bulk *.tar --output alone >/dev/null
mpi="mpirun --allow-run-as-root --oversubscribe --bind-to none --enable-recovery -n 3"
$mpi "$ALIGN" embed --model "$DATA/hub" --threads 1 --images *.tar --output out 2>said >/dev/null &
run=$!
until victim=$(pgrep -P $run -f 'align embed' | head -n 1) && [ -n "$victim" ] && set -- out/*.npy && [ -e "$1" ]; do
    kill -0 $run || break
done
kill -9 "$victim" 2>/dev/null
wait $run
grep '^align' said
diff -r alone out && ls out/*.npy | wc -l | tr -d ' '
