# A loss that is no number ends the run, which keeps the last good checkpoint.
. "$SOURCE/tests/cli/train/setup.inc"
train --output out --lr 1e30 --warmup 0 --ema 0 --save-every 1
echo "exit code $?"
ls out
"$ALIGN" inspect out/checkpoint-1 | grep -c parameters
