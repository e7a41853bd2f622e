# A part of the model that is none.
"$ALIGN" train --model "$DATA/hub" --data "$MODELS/demo/pictures.tsv" --output out --batch 8 --freeze vision,txt
