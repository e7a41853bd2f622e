# A threshold is a cosine.
"$ALIGN" duplicates --threshold 1.5
