# Two models.
"$ALIGN" inspect a b
