# A disk that is full (here: files that may not grow): a message, and the checkpoints before stay whole.
. "$SOURCE/tests/cli/train/setup.inc"
train --output whole --log whole.jsonl >/dev/null || exit 1
# as if it had been killed after step 7
train --output full --log full.jsonl --save-every 7 --keep 9 >/dev/null || exit 1
rm -r full/checkpoint-14 full/checkpoint-21 full/checkpoint-24 full/model.safetensors
cp -r full/checkpoint-7 before
(
    trap '' XFSZ
    ulimit -f 40
    train --output full --log full.jsonl --resume 2>message
    echo "exit code $?"
)
grep -c "File too large" message
diff -r before full/checkpoint-7 && ls -A full
train --output full --log full.jsonl --resume >/dev/null && same whole full && echo the same
