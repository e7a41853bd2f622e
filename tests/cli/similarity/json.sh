# AlignModel's logits and their probabilities in both directions.
cd "$DATA/hub"
"$ALIGN" similarity --image tall.png wide.jpg --text "a photo of a cat" "An image of the DOG, running!" "café 中" --model . --json
