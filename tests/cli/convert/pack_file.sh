# A single file is not a model to pack.
"$ALIGN" convert "$DATA/models/tiny/model.safetensors" o.safetensors --pack
