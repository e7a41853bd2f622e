# The matrix for people.
cd "$DATA/hub"
"$ALIGN" similarity --image tall.png --image wide.jpg --text "a photo of a cat" "An image of the DOG, running!" "café 中" --model .
