# A tower that does not exist.
"$ALIGN" forward --inputs i.safetensors --output o.safetensors --tower audio
