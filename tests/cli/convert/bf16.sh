# Half the size.
"$ALIGN" convert --model "$DATA/models/tiny" --output half --dtype bf16
"$ALIGN" inspect half/model.safetensors | grep -c " F32 "; "$ALIGN" inspect half/model.safetensors | grep -q " BF16 " && grep -o "\"torch_dtype.*" half/config.json
