# --model goes before ALIGN_MODEL.
ALIGN_MODEL=nowhere "$ALIGN" decode 5 6 7 --model "$DATA/hub"
