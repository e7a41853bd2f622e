# No text.
"$ALIGN" similarity --image a.png
