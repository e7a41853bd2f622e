# A file without a name.
"$ALIGN" process --text a --model "$DATA/hub" --output ""
