# A picture that does not exist.
"$ALIGN" classify none.png --labels cat,dog --model "$DATA/hub"
