# No picture.
"$ALIGN" similarity --text a
