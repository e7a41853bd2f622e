# A file that holds no tensors.
echo hello >file.txt && "$ALIGN" inspect file.txt
