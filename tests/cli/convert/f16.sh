# Half the size.
"$ALIGN" convert --model "$DATA/models/tiny" --output half --dtype f16
"$ALIGN" inspect half/model.safetensors | grep -c " F32 "; "$ALIGN" inspect half/model.safetensors | grep -q " F16 " && grep -o "\"torch_dtype.*" half/config.json
