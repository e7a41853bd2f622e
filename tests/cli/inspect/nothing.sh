# What does not exist.
"$ALIGN" inspect none
