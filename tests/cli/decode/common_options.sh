# Common options where they have nothing to do.
"$ALIGN" decode 5 --model "$DATA/hub" --threads 2 --precision f32 --quiet
