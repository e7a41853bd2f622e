# Not onto itself.
cp -r "$DATA/models/tiny" m && "$ALIGN" convert --model m --output ./m --format bin; echo $?; ls m
