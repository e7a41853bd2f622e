# One folder at most.
"$ALIGN" duplicates a b
