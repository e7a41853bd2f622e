# Inputs that do not exist.
"$ALIGN" forward --model "$DATA/models/tiny" --inputs none.safetensors --output o.safetensors; echo $?; ls
