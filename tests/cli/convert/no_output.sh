# No output.
"$ALIGN" convert --model m
