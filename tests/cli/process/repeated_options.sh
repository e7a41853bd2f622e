# One value an option.
cd "$DATA/hub"
"$ALIGN" process --text "a photo of a cat" --image tall.png --text "An image of the DOG, running!" --image wide.jpg --text="café 中" --model . --output="$TMP/o.safetensors" && "$COMPARE" golden.safetensors "$TMP/o.safetensors" 0 | wc -l | tr -d " "
