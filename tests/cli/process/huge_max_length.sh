# More tokens than memory.
"$ALIGN" process --text a --output o.safetensors --max-length 2147483647
