# All processes stop where one of them is asked to, and go on to the same end, as another number of them, too.
. "$SOURCE/tests/cli/train/ranks.inc"
ranks 2 --batch-norm frozen --output whole --log whole.jsonl >/dev/null || exit 1
mkfifo fifo
(begin=exec && before=exec && ranks 2 --batch-norm frozen --output stopped --log fifo --save-every 100 >/dev/null 2>message) &
run=$!
victim=$(rank_of $run tail 2) # the log's fifo keeps them waiting until somebody reads it
{
    read -r line
    kill -TERM "$victim"
    cat >rest
} <fifo
wait $run && echo "went on"
said message | sed 's/step [0-9]* of/step N of/'
ls stopped | grep checkpoint | sed 's/-[0-9]*$/-N/'
cp -r stopped again
ranks 2 --batch-norm frozen --output stopped --log stopped.jsonl --resume >/dev/null || exit 1
cmp whole/model.safetensors stopped/model.safetensors && echo "the same"
ranks 3 --batch-norm frozen --output again --log again.jsonl --resume >/dev/null || exit 1
tail -n 4 again.jsonl >last && mv last again.jsonl
tail -n 4 whole.jsonl >last && mv last whole.jsonl
same_losses whole again
