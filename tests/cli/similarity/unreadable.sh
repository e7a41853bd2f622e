# A matrix with a row missing is not printed.
cd "$DATA/hub"
"$ALIGN" similarity --image tall.png none.png --text a --model .
