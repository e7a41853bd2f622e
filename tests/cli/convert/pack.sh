# Packed: the same numbers, from a file that is mapped.
"$ALIGN" convert --pack "$DATA/models/tiny" packed && ls packed
"$ALIGN" inspect packed/model.align | sed -n '/U8/s/  *.*//p' | head -n 2
"$ALIGN" forward --quiet --inputs "$DATA/models/tiny/runs/forward.safetensors" --output a.safetensors --model "$DATA/models/tiny"
"$ALIGN" forward --quiet --inputs "$DATA/models/tiny/runs/forward.safetensors" --output b.safetensors --model packed
cmp a.safetensors b.safetensors
"$ALIGN" convert "$DATA/hub" hub --pack && ls hub | wc -l | tr -d " "
"$ALIGN" embed --text cat --model hub >a && "$ALIGN" embed --text cat --model "$DATA/hub" >b && cmp a b
