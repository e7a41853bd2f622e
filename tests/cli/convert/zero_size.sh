# Files of no size.
"$ALIGN" convert --output o --max-shard-size 0
