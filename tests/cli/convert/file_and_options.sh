# Options that two files do not take.
: >a.bin && "$ALIGN" convert a.bin b.safetensors --dtype f16
