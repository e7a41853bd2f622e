# AlignModel's text_embeds and image_embeds; the pictures come first.
cd "$DATA/hub"
"$ALIGN" embed --text "a photo of a cat" "An image of the DOG, running!" "café 中" --image tall.png wide.jpg --model . --json
