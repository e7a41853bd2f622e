# Short options do not exist.
"$ALIGN" embed -x
