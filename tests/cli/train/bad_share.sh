# A share of the pairs for validation is less than all of them.
"$ALIGN" train --data "$MODELS/demo/pictures.tsv" --output out --validation 1.5
