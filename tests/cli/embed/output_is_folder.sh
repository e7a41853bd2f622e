# An output that is a folder.
mkdir o.npy && "$ALIGN" embed --text cat --output o.npy --model "$DATA/hub"
