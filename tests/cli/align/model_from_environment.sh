# ALIGN_MODEL names the model.
ALIGN_MODEL="$DATA/hub" "$ALIGN" decode 5 6 7
