# A loss needs pairs.
"$ALIGN" forward --quiet --model "$DATA/models/tiny" --inputs "$DATA/models/tiny/runs/fewer_texts.safetensors" --output o.safetensors --return-loss; echo $?; ls
