# A model folder that does not exist.
cd / && "$ALIGN" decode 1 --model "$TMP/none"
