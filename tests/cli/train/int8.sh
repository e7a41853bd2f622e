# No gradient survives eight bits.
"$ALIGN" train --data "$MODELS/demo/pictures.tsv" --output out --precision int8
