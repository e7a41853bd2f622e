# A padding that does not exist.
"$ALIGN" process --text a --padding left --output o.safetensors
