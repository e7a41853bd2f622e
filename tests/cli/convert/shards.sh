# Many files, the same numbers.
"$ALIGN" convert --model "$DATA/models/tiny" --output shards --max-shard-size 20KB
ls shards | grep -c -- -of-
"$ALIGN" forward --quiet --inputs "$DATA/models/tiny/runs/forward.safetensors" --output a.safetensors --model "$DATA/models/tiny"
"$ALIGN" forward --quiet --inputs "$DATA/models/tiny/runs/forward.safetensors" --output b.safetensors --model shards
cmp a.safetensors b.safetensors && ls shards | grep index
