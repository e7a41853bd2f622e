# A model that has a weight which is no number: no advice on the learning rate would help.
cp -r "$DATA/hub" broken && chmod -R u+w broken
size=$(wc -c <broken/model.safetensors)
printf '\377\377\377\177' | dd of=broken/model.safetensors bs=1 seek=$((size - 4)) conv=notrunc status=none
"$ALIGN" train --model broken --data "$MODELS/demo/pictures.tsv" --output out --batch 8 --steps 2 --quiet
