# When one process dies, all end, and the last checkpoint is whole: resumed, the run ends as one that nothing happened to.
. "$SOURCE/tests/cli/train/ranks.inc"
ranks 2 --output whole --log whole.jsonl >/dev/null || exit 1
mkfifo fifo
for victim in head tail; do # the first process, which writes, and the other
    rm -rf killed
    (begin=exec && before=exec && ranks 2 --output killed --log fifo --save-every 1 >/dev/null 2>message) &
    run=$!
    process=$(rank_of $run $victim 2)
    {
        for step in 1 2 3 4 5; do
            read -r line
        done
        kill -9 "$process"
        cat >rest
    } <fifo
    wait $run && echo "the others went on"
    ls killed | grep -c checkpoint
    for folder in killed/checkpoint-*; do
        "$ALIGN" inspect "$folder" | grep -c parameters
    done
    ranks 2 --output killed --log killed.jsonl --resume >/dev/null || exit 1
    for file in model.safetensors best/model.safetensors checkpoint-24/trainer_state.safetensors; do
        cmp whole/$file killed/$file || exit 1
    done
    echo "the same"
done
