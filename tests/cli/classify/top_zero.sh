# The best none.
"$ALIGN" classify cat.png --labels cat --top 0
