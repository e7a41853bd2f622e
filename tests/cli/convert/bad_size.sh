# A size that is none.
"$ALIGN" convert --output o --max-shard-size big
