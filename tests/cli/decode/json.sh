# As an object.
"$ALIGN" decode 5 6 --model "$DATA/hub" --json
