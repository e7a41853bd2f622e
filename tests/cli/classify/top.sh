# The two best.
cd "$DATA/hub"
"$ALIGN" classify tall.png --labels 'cat,dog,a photo of a cat,image,the running dog,1.5' --model . --top 2
