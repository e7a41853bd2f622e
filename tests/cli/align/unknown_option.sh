# An option mistyped.
"$ALIGN" classify cat.png --lables a,b
