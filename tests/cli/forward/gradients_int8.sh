# Gradients are computed in f32 or bf16.
"$ALIGN" forward --quiet --precision int8 --model "$DATA/models/tiny" --inputs "$DATA/models/tiny/gradients/train.safetensors" --output o.safetensors --return-loss --gradients; echo $?; ls
