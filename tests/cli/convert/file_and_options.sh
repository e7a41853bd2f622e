# Options that two files do not take.
"$ALIGN" convert a.bin b.safetensors --dtype f16
