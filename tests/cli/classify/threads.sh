# Results do not depend on the threads.
cd "$DATA/hub"
for n in 1 2 3; do "$ALIGN" classify tall.png --labels 'cat,dog,a photo of a cat,image,the running dog,1.5' --model . --json --threads $n >"$TMP/$n"; done
cmp "$TMP/1" "$TMP/2" && cmp "$TMP/1" "$TMP/3"
