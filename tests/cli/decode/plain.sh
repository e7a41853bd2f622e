# All tokens.
"$ALIGN" decode 2 5 83 45 84 5 85 40 87 88 41 3 0 0 --model "$DATA/hub"
