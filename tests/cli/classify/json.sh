# Probabilities and logits of every label, the best first.
cd "$DATA/hub"
"$ALIGN" classify tall.png wide.jpg --labels 'cat,dog,a photo of a cat,image,the running dog,1.5' --model . --json
