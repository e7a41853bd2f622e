# When printing, the others go on.
cd "$DATA/hub"
"$ALIGN" embed --image none.png tall.png --model . --json
