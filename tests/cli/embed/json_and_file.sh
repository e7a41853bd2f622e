# Lines and a file at once.
cd "$DATA/hub"
"$ALIGN" embed --text cat --model . --json --output "$TMP/o.npy" | wc -l | tr -d " " && ls "$TMP"
