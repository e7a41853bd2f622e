# Results do not depend on the threads.
"$ALIGN" embed --text cat --model "$DATA/hub" --threads 1 --json >one
"$ALIGN" embed --text cat --model "$DATA/hub" --threads 3 --json >three
"$ALIGN" embed --text cat --model "$DATA/hub" --precision f32 --json >default
cmp one three && cmp one default
