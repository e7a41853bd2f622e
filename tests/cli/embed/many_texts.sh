# Batches change nothing.
set -- $(seq 1 40)
"$ALIGN" embed --text "$@" --model "$DATA/hub" >together
for text in 1 17 40; do "$ALIGN" embed --text $text --model "$DATA/hub"; done >alone
sed -n "1p;17p;40p" together | awk -f "$SOURCE/tests/cli/close.awk" alone -
