# A folder without pictures.
mkdir photos && "$ALIGN" classify photos/ --labels cat,dog --model "$DATA/hub"
