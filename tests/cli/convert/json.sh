# What was written, for programs.
cp -r "$DATA/hub" m && "$ALIGN" convert --model m --output n --json
