# Pictures that cannot be read, and rows without a caption, are told and left out.
cp "$MODELS"/demo/*.png . && echo "no picture" >cat.png
printf 'file\tlabel\napple.png\tan apple\ncat.png\ta cat\ndog.png\ta dog\nbus.png\t\nbomb.png\ta bomb\nbird.png\ta bird\n' >pairs.tsv
"$ALIGN" train --model "$DATA/hub" --data pairs.tsv --output out --batch 3 --steps 6 --threads 1 >/dev/null && ls out | grep -c model.safetensors
