# A file of a kind it does not write.
"$ALIGN" convert a.bin b.bin
