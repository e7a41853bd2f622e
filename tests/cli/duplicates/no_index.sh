# No index yet.
"$ALIGN" duplicates
