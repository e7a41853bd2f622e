# Labels in two ways.
"$ALIGN" classify cat.png --labels a --labels-file f
