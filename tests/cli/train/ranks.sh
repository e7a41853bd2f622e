# Processes that train together have the losses of one with the whole batch.
. "$SOURCE/tests/cli/train/ranks.inc"
compare() {
    name=$1 numbers=$2
    shift 2
    train --output "$name-1" --log "$name-1.jsonl" --dropout off "$@" >/dev/null || exit 1
    for number in $numbers; do
        ranks $number --output "$name-$number" --log "$name-$number.jsonl" "$@" >printed || exit 1
        echo "$name, $number processes: $(same_losses "$name-1" "$name-$number"), told $(grep -c 'steps, loss' printed) time"
    done
}
compare frozen "2 4" --batch-norm frozen --steps 12
compare common "2 4" --sync-batch-norm --clip 0.5 --known-matches --steps 12
compare sliced 4 --batch-norm frozen --batch 10 --slice 3 --accumulate 2 --steps 9 --optimizer lamb
compare part 2 --freeze text.embeddings,text.layers.0,vision --all-texts --steps 9
