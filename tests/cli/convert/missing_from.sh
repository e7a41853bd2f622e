# What is to be converted does not exist.
"$ALIGN" convert none o --dtype f16
