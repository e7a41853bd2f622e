# Nowhere for an index to be.
XDG_DATA_HOME=relative HOME= "$ALIGN" search a dog
