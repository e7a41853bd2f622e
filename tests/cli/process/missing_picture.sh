# No picture, no file.
"$ALIGN" process --image none.png --model "$DATA/hub" --output o.safetensors; echo $?; ls
