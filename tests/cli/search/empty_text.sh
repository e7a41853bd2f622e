# No words.
"$ALIGN" search "" "  "
