# A negative id.
"$ALIGN" decode -- -5
