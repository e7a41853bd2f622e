# Halves that do not pair.
"$ALIGN" process --text a b --text-pair c --output o.safetensors
