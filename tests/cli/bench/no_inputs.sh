# Nothing to run on.
"$ALIGN" bench --model "$DATA/models/tiny"
