# More than there are.
cd "$DATA/hub"
"$ALIGN" classify tall.png --labels 'cat,dog,a photo of a cat,image,the running dog,1.5' --model . --top 100 | wc -l | tr -d ' '
