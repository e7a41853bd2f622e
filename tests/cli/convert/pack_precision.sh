# A precision is stored by packing; it is then the model's own, and the only one.
for precision in bf16 int8; do
    "$ALIGN" convert "$DATA/models/tiny" $precision --precision $precision && ls $precision | grep align
    "$ALIGN" forward --quiet --inputs "$DATA/models/tiny/runs/forward.safetensors" --output a.safetensors --model "$DATA/models/tiny" --precision $precision
    "$ALIGN" forward --quiet --inputs "$DATA/models/tiny/runs/forward.safetensors" --output b.safetensors --model $precision
    cmp a.safetensors b.safetensors
    "$ALIGN" inspect $precision --json | tr , "\n" | grep '^"precision"'
    "$ALIGN" forward --inputs "$DATA/models/tiny/runs/forward.safetensors" --output b.safetensors --model $precision --precision f32
    echo $?
done
"$ALIGN" convert "$DATA/models/tiny" f32 --precision f32 && ls f32
