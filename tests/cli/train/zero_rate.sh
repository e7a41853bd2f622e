# What the command line cannot know the library judges, by name.
"$ALIGN" train --model "$DATA/hub" --data "$MODELS/demo/pictures.tsv" --output out --lr 0
