# A tower alone has no loss.
"$ALIGN" forward --inputs i.safetensors --output o.safetensors --tower text --return-loss
