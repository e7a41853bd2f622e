# A place that cannot be written is told of before the first step, not after an epoch.
"$ALIGN" train --model "$DATA/hub" --data "$MODELS/demo/pictures.tsv" --output out --plot nowhere/loss.svg
