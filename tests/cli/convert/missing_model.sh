# No model, no folder.
"$ALIGN" convert --model none --output o; echo $?; ls
