# One pair has nothing to be told from.
mkdir pairs && cp "$MODELS/demo/apple.png" pairs && echo "an apple" >pairs/apple.txt
"$ALIGN" train --model "$DATA/hub" --data pairs --output out --batch 2
