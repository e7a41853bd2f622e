#!/bin/sh
# Makes the model that ships from nothing: fetches the sources, builds the pairs, trains with `align train`, evaluates. Run from the repository's root after `make`,
# in an environment as README.md says. Everything lies in $EMOJI_WORK; a step that was done before is not done again.
# REHEARSAL=1 goes the same way with a hundredth of the steps and few pictures, in a folder beside it ($EMOJI_WORK-rehearsal): to see that all works before it takes hours.
set -eu
REHEARSAL=${REHEARSAL:+-rehearsal}
export EMOJI_WORK="${EMOJI_WORK:-build/emoji}$REHEARSAL"
export PYTHON="${PYTHON:-python3}"
ALIGN=${ALIGN:-build/align}
O=$EMOJI_WORK/out
TO=${TO:-$O/emoji}                                  # models/emoji, to replace the model that ships
step() { echo "== $*"; "$@"; }
py() { step "$PYTHON" "tools/emoji_model/$@"; }
# once WHAT COMMAND...: unless it was done to the end before
once() {
    mark=$EMOJI_WORK/done-$1
    shift
    [ -e "$mark" ] || { "$@" && : > "$mark"; }
}
# of N: as many steps (or minutes), or a hundredth of them
of() { if [ "$REHEARSAL" ]; then echo $((($1 + 99) / 100)); else echo "$1"; fi; }

once sources step sh tools/emoji_model/fetch.sh
once pictures py prepare.py                         # drawings of eleven styles and OpenMoji; names, keywords, kinds, facts
once captions py captions.py                        # 48 texts a concept
once vocab py vocab.py                              # the vocabulary; texts for the text tower
once teacher py distil.py --teach                   # the teacher reads them
once text py distil.py --minutes "$(of 45)"         # the text tower: the teacher, made to speak at the first token
once pairs py pairs.py ${REHEARSAL:+--variants 1 --restyled 1 --icons 1}     # 182,000 pictures with their texts, in WebDataset shards
once start py start.py                              # both towers in a folder, the image tower's weights drawn

# trained FROM TO STEPS WARMUP OPTIONS...
trained() {
    from=$1 to=$2 steps=$3 warmup=$4
    shift 4
    once "$to" step "$ALIGN" train --model "$O/$from" --data "$O/pairs/train-*.tar" --validation "$O/pairs/validation.tar" --output "$O/$to" --log "$O/$to.jsonl" \
        --steps "$(of "$steps")" --warmup "$(of "$warmup")" --batch 512 --beta2 0.98 --weight-decay 0.05 --clip 2 --ema 0.998 \
        --temperature-min 0.02 --temperature-max 0.07 --known-matches --precision bf16 --cache 4GB --validate-every "$(of 500)" --save-every "$(of 100)" --resume "$@"
}

# The image tower learns to meet the text tower, which stays as it is, and so keeps what it knows of words that no picture came with.
trained start stage1 2000 100 --lr 2e-3 --schedule cosine --freeze text,text_projection --crop 0.75 --max-length 24
trained stage1 stage2 374 100 --lr 1.5e-3 --schedule constant --freeze text --crop 0.7 --color 0.15 --max-length 24
# Small pictures first: a step on them takes half as long.
once begin3 py carry.py --from "$O/stage2" --to "$O/begin3" --side 48
trained begin3 stage3 2200 50 --lr 2e-3 --schedule cosine --freeze text --crop 0.75 --color 0.1 --max-length 12
once begin4 py carry.py --from "$O/stage3" --to "$O/begin4" --side 64 --back "$O/start"
trained begin4 stage4 700 50 --lr 1e-3 --schedule cosine --freeze text,text_projection --crop 0.75 --color 0.1 --max-length 12

py finish.py --from "$O/stage4" --to "$TO"          # temperature; float16
py evaluate.py --model "$TO"                        # the figures of the model card
step "$ALIGN" classify --model "$TO" models/demo/*.png --labels-file models/demo/labels.txt --top 1
