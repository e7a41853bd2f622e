# The processor's files come along.
"$ALIGN" convert --model "$DATA/hub" --output copy
for name in preprocessor_config.json tokenizer.json tokenizer_config.json vocab.txt special_tokens_map.json; do cmp "$DATA/hub/$name" copy/$name || exit 1; done
ls copy | wc -l | tr -d " "
"$ALIGN" embed --text cat --model copy >a && "$ALIGN" embed --text cat --model "$DATA/hub" >b && cmp a b
