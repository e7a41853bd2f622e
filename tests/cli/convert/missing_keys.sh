# A checkpoint with holes is refused.
"$ALIGN" convert --model "$DATA/models/missing_keys" --output new; echo $?; ls
