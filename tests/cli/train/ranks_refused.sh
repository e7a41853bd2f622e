# What processes cannot do together is said once, and ends all of them.
. "$SOURCE/tests/cli/train/ranks.inc"
refuse() {
    ranks "$@" --output out >/dev/null 2>message && echo "went on"
    said message
}
refuse 4 --batch 3
refuse 2 --batch 7 --slice 3 --sync-batch-norm
refuse 2 --data nowhere.tsv
refuse 2 --lr 1e30 --warmup 0 --ema 0 | sed 's/ the .*: a lower/ ...: a lower/'
$mpi 1 "$ALIGN" train --model "$DATA/hub" --data "$MODELS/demo/pictures.tsv" --output other --batch 8 --quiet \
    : -n 1 "$ALIGN" train --model "$DATA/hub" --data "$MODELS/demo/pictures.tsv" --output other --batch 8 --lr 0.5 \
    >/dev/null 2>message && echo "went on"
said message
