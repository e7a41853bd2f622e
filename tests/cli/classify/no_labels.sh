# No labels.
"$ALIGN" classify cat.png
