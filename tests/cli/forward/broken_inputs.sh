# Inputs that are no tensors.
echo no tensors here at all >i.safetensors
"$ALIGN" forward --model "$DATA/models/tiny" --inputs i.safetensors --output o.safetensors; echo $?; ls
