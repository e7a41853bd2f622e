# A validation that processes share is that of the model they leave, whose batch norms have the first one's statistics.
. "$SOURCE/tests/cli/train/ranks.inc"
recalls() {
    tail -n 1 "$1.jsonl" | grep -o '"text_to_image.*]'
}
ranks 3 --validation 0.6 --steps 8 --output three --log three.jsonl >/dev/null || exit 1
# One process validates that model, all but unchanged.
begin=
train --validation 0.6 --model three --output one --log one.jsonl --steps 1 --lr 1e-30 --warmup 0 --ema 0 \
    --dropout off --batch-norm frozen >/dev/null || exit 1
recalls three >expected
recalls one >found
cmp expected found && [ -s found ] && echo the same
