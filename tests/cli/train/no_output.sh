# There must be a place for what is made.
"$ALIGN" train --data "$MODELS/demo/pictures.tsv"
