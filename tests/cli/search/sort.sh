# The first of all that reach the threshold, in the order asked for: the first of everything where there is none.
. "$SOURCE/tests/cli/search/setup.inc"
best=$("$ALIGN" search a red fruit --top 3 --json | tail -n 1 | sed -E 's/.*"score":([0-9.]+).*/\1/')
for order in newest oldest path; do
    echo "$order" && search a red fruit --threshold "${best%??????}" --sort $order --top 2
    search a red fruit --threshold "${best%??????}" --sort $order --top 2 --page 2 --paths
done
echo everything
search a red fruit --top 2 --sort newest
