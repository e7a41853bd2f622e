# A run that is killed again and again, anywhere, ends as one that never was.
. "$SOURCE/tests/cli/train/setup.inc"
train --output whole --log whole.jsonl >/dev/null || exit 1
kills=0
while :; do
    (begin=exec && train --output killed --log killed.jsonl --resume >/dev/null) &
    run=$!
    random=$(od -An -N1 -tu1 /dev/urandom)
    wait=$((random * (4 + kills) / 4)) # milliseconds; longer each time, so that slow machines come to an end too
    sleep $((wait / 1000)).$(printf %03d $((wait % 1000)))
    kill -9 $run 2>/dev/null
    wait $run 2>/dev/null && break
    kills=$((kills + 1))
    [ $kills -lt 500 ] || exit 1
done
same whole killed && echo the same
