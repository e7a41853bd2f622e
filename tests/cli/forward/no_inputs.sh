# No inputs.
"$ALIGN" forward --output o.safetensors
