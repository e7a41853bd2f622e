# No output.
"$ALIGN" forward --inputs i.safetensors
