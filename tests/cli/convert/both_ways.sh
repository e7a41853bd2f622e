# Paths and options at once.
"$ALIGN" convert a b --output c
