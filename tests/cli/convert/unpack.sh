# What was packed has lost its tensors; packed once more it is the same.
"$ALIGN" convert --pack "$DATA/models/tiny" packed && "$ALIGN" convert packed o --dtype f16; echo $?; ls
"$ALIGN" convert --pack packed again && cmp packed/model.align again/model.align
