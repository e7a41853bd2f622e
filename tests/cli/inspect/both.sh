# The model named in two ways.
"$ALIGN" inspect a --model b
