# Every tensor with its type and shape.
cd "$DATA/hub"
"$ALIGN" inspect . --tensors | tail -n 3
