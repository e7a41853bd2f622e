# Gradients need pairs.
"$ALIGN" forward --quiet --model "$DATA/models/tiny" --inputs "$DATA/models/tiny/runs/text_features.safetensors" --output o.safetensors --return-loss --gradients; echo $?; ls
