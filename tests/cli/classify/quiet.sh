# No warning when asked for none.
cd "$DATA/hub"
"$ALIGN" classify tall.png --labels "cat,$(printf %0100d 7 | tr 0 -)" --model . --quiet | wc -l | tr -d " "
