# A run that is asked to stop writes a checkpoint of where it is, and says how to go on.
. "$SOURCE/tests/cli/train/setup.inc"
train --output whole --log whole.jsonl >/dev/null || exit 1
mkfifo fifo
(begin=exec && train --output stopped --log fifo --save-every 100 >/dev/null 2>message) &
run=$!
{
    read -r line # a step is done
    kill -TERM $run
    cat >rest
} <fifo
wait $run
echo "exit code $?"
sed 's/step [0-9]* of/step N of/' message
ls stopped | grep checkpoint | sed 's/-[0-9]*$/-N/'
train --output stopped --log stopped.jsonl --resume >/dev/null
cmp whole/model.safetensors stopped/model.safetensors && echo the same
