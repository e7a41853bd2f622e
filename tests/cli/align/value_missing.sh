# An option without its value, at the end.
"$ALIGN" embed --text
