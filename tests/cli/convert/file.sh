# A single file.
"$ALIGN" convert "$DATA/models/bin/pytorch_model.bin" o.safetensors && "$COMPARE" "$DATA/models/bin/pytorch_model.bin" o.safetensors 0 >names; echo $?; ls
