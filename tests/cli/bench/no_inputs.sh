"$ALIGN" bench --model "$DATA/models/tiny"
