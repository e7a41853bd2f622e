# A label longer than the model takes is cut, with a warning.
cd "$DATA/hub"
"$ALIGN" classify tall.png --labels "cat,$(printf %0100d 7 | tr 0 -)" --model . --json --top 1 | wc -l | tr -d " "
