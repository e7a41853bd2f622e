# FROM and TO say the same as --model and --output.
"$ALIGN" convert "$DATA/models/tiny" a --dtype f16
"$ALIGN" convert --model "$DATA/models/tiny" --output b --dtype f16
cmp a/model.safetensors b/model.safetensors && cmp a/config.json b/config.json && ls a
