# Costs of other sizes.
cd "$DATA/hub"
for size in 25 50; do "$ALIGN" inspect . --image-size $size --tokens 8 | grep MACs | sed "s/.*MACs //"; done
