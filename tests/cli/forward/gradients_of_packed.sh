# A packed model has lost what gradients are of.
"$ALIGN" convert --quiet --pack "$DATA/models/tiny" packed
"$ALIGN" forward --quiet --model packed --inputs "$DATA/models/tiny/gradients/train.safetensors" --output o.safetensors --return-loss --gradients; echo $?
