# One of two processes is killed at any moment: the other takes its shard up, and what comes out is what comes out of an
# undisturbed run. When both are, a third goes on. KILLS=50 for more of them than a test has time for.
. "$SOURCE/tests/cli/embed/shards.inc"
for n in 1 2 3 4 5 6; do shard $n.tar ${n}01 ${n}60; done
bulk *.tar --output alone --parquet >/dev/null
run() { exec "$ALIGN" embed --model "$DATA/hub" --threads 1 --images *.tar --output out --parquet >/dev/null; }
for moment in $(seq 1 "${KILLS:-6}"); do
    rm -rf out
    run & victim=$!
    run & other=$!
    until set -- out/*.npy && [ $# -gt $((moment % 6)) ]; do # so many shards are done, or none is
        [ $((moment % 6)) -ne 0 ] && kill -0 $victim 2>/dev/null || break
    done
    for wait in $(seq 1 $((moment * 7919 % 30000))); do :; done
    [ $((moment % 3)) -ne 0 ] || kill -9 $other 2>/dev/null
    kill -9 $victim 2>/dev/null
    { wait $victim; } 2>/dev/null
    if { wait $other; } 2>/dev/null; then
        ls out/*.npy | wc -l | grep -qx 6 || echo "the other left shards undone"
    fi
    bulk *.tar --output out --parquet >/dev/null || echo "failed"
    diff -r alone out || echo "differs"
done
