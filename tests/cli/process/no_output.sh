# No file to write.
"$ALIGN" process --text a
