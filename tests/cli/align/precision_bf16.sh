# A precision of later versions.
"$ALIGN" embed --text cat --model "$DATA/hub" --precision bf16
