# A run goes on with what it began with.
. "$SOURCE/tests/cli/train/setup.inc"
train --output out >/dev/null || exit 1
train --output out && echo "went on unasked"
train --output out --resume --lr 2e-3
train --output out --resume --steps 30
train --output out --resume --freeze text
train --output out --resume --model "$DATA/models/tiny"
head -40 "$MODELS/demo/pictures.tsv" | sed "s|^|$MODELS/demo/|; 1s|.*/||" >fewer.tsv
train --output out --resume --data fewer.tsv
train --output out --resume --threads 2 --loader-threads 0 --save-every 5 --keep 1 >/dev/null && echo "what may change"
