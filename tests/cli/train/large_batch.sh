# More pairs in a batch than there are.
"$ALIGN" train --model "$DATA/hub" --data "$MODELS/demo/pictures.tsv" --output out --batch 1000
