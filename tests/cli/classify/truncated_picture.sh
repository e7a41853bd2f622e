# Half a picture.
head -c 500 "$DATA/hub/wide.jpg" >cut.jpg
"$ALIGN" classify cut.jpg --labels cat,dog --model "$DATA/hub"
