# A file of a kind it does not write.
: >a.bin && "$ALIGN" convert a.bin b.bin
