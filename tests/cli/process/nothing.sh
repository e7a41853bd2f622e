# Nothing to process.
"$ALIGN" process --output o.safetensors
