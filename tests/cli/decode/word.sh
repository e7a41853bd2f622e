# An id that is no number.
"$ALIGN" decode 5 cat
