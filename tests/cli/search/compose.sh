# A text and a picture together: the sum of unit vectors, the text twice; what is not wanted is taken away.
. "$SOURCE/tests/cli/search/setup.inc"
cp "$MODELS/demo/poodle.png" .
"$ALIGN" embed --image poodle.png photos/animals/cat.png --text "a red car" "a dog" >vectors
# the score of the cat, by hand: weights of picture, of the first text, of the second
expected() {
    awk -F '\t' -v w1="$1" -v w2="$2" -v w3="$3" '
        NR == 1 { w = w1 } NR == 2 { w = 0; for (i = 2; i <= NF; i++) cat[i] = $i } NR == 3 { w = w2 } NR == 4 { w = w3 }
        { for (i = 2; i <= NF; i++) sum[i] += w * $i }
        END { for (i in sum) { dot += sum[i] * cat[i]; length2 += sum[i] * sum[i] } printf "%.3f\n", dot / sqrt(length2) }' vectors
}
cat_score() { "$ALIGN" search "$@" | sed -n 's/^\([-0-9.]*\) .*cat.png$/\1/p'; }
check() {
    weights=$1
    shift
    echo "$(expected $weights) $(cat_score "$@")" | awk '{ exit !(NF == 2 && $1 - $2 < 0.002 && $2 - $1 < 0.002) }' && echo "same: $*"
}
check "1 2 0" a red car --image poodle.png
check "1 2 -2" --image poodle.png --text "a red car" --minus "a dog"
check "3 0.5 0" --image poodle.png --text "a red car" --text-weight 0.5 --image-weight 3
check "1 0 0" --image poodle.png --text "a red car" --text-weight 0
check "0 1 1" --text "a red car" "a dog"
