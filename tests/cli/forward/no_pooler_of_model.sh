# The pooler belongs to the text tower.
"$ALIGN" forward --inputs i.safetensors --output o.safetensors --no-pooler
