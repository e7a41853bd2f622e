# An output folder that does not exist.
"$ALIGN" embed --text cat --output none/o.npy --model "$DATA/hub"
