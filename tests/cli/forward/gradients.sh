# Gradients are for a later version.
"$ALIGN" forward --inputs i.safetensors --output o.safetensors --return-loss --gradients
