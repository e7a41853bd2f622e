# A variant, and out of it.
"$ALIGN" convert --model "$DATA/models/tiny" --output v --variant fp16 --dtype f16 && ls v && "$ALIGN" convert --model v --from-variant fp16 --output back --dtype f32 && ls back
