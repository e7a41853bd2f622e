# A single file, here of PyTorch.
"$ALIGN" inspect "$DATA/models/bin/pytorch_model.bin" | tail -n 1
