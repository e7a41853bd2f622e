# From a checkpoint or from scratch.
"$ALIGN" train --data "$MODELS/demo/pictures.tsv" --output out --model "$DATA/hub" --config "$DATA/hub"
