# A labels file that does not exist.
"$ALIGN" classify cat.png --labels-file none.txt
