# A tower saved alone.
"$ALIGN" convert --model "$DATA/models/tiny_text" --output t --format bin && ls t && "$ALIGN" inspect t | grep -o AlignTextModel
