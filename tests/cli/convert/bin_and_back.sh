# To PyTorch and back: the same numbers.
"$ALIGN" convert --model "$DATA/models/tiny" --output bin --format bin && ls bin
"$ALIGN" convert --model bin --output back && ls back
"$ALIGN" forward --quiet --inputs "$DATA/models/tiny/runs/forward.safetensors" --output a.safetensors --model "$DATA/models/tiny"
"$ALIGN" forward --quiet --inputs "$DATA/models/tiny/runs/forward.safetensors" --output b.safetensors --model bin
"$ALIGN" forward --quiet --inputs "$DATA/models/tiny/runs/forward.safetensors" --output c.safetensors --model back
cmp a.safetensors b.safetensors && cmp a.safetensors c.safetensors
