# Gradients of nothing.
"$ALIGN" forward --inputs i.safetensors --output o.safetensors --gradients
