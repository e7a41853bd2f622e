# A loss needs both kinds.
"$ALIGN" process --text a --model "$DATA/hub" --output i.safetensors
"$ALIGN" forward --model "$DATA/hub" --inputs i.safetensors --output o.safetensors --return-loss; echo $?; ls
