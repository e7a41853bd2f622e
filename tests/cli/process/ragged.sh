# Texts of two lengths make no tensor, and no file.
"$ALIGN" process --text "a b c" "a" --padding do_not_pad --model "$DATA/hub" --output o.safetensors; echo $?; ls
