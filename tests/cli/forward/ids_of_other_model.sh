# Texts longer than the model takes.
"$ALIGN" process --text "the dog" --model "$DATA/hub" --output i.safetensors
"$ALIGN" forward --model "$DATA/models/tiny" --inputs i.safetensors --output o.safetensors; echo $?; ls
