# One file.
"$ALIGN" convert a.bin
