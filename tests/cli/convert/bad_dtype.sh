# A type that it does not write.
"$ALIGN" convert --output o --dtype int8
