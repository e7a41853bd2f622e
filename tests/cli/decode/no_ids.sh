# No ids.
"$ALIGN" decode
