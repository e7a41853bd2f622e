# Embeddings have length one.
cd "$DATA/hub"
"$ALIGN" embed --text cat dog --image tall.png --model . | awk '{ for (i = 2; i <= NF; i++) sum += $i * $i } END { printf "%.4f\n", sum }'
