# A packed model: what it was packed for, what there is of it.
"$ALIGN" convert "$DATA/models/tiny" packed --precision bf16
"$ALIGN" inspect packed | sed -n 's/^\(packed *bf16, layout [0-9]*\): panels of .*/\1/p; s/^parameters.*/&/p'
"$ALIGN" inspect packed --json | tr , "\n" | grep -o '"packed":"[0-9]*: panels'
"$ALIGN" inspect packed --tensors | grep -c U8
"$ALIGN" inspect "$DATA/models/tiny" --json | tr , "\n" | grep '^"\(packed\|precision\)"'
