# An empty label.
"$ALIGN" classify cat.png --labels ''
