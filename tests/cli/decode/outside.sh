# Ids outside the vocabulary vanish.
"$ALIGN" decode 5 99999 6 --model "$DATA/hub"
