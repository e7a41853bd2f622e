# What a run leaves, and that the other commands take it.
. "$SOURCE/tests/cli/train/setup.inc"
train --output out --log out.jsonl --plot out.svg --events --threads 1 >printed || exit 1
grep -c "24 steps, loss" printed
grep -c "best at step" printed
ls out | sed 's/tfevents.*/tfevents/'
ls out/checkpoint-24
grep -c '"step"' out.jsonl
grep -c '"image_to_text"' out.jsonl
head -c 5 out.svg
echo
for model in out out/best out/checkpoint-24; do
    "$ALIGN" embed --model $model --text "a cat" --image "$MODELS/demo/cat.png" --json | wc -l
done
