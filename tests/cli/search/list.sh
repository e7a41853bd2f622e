# Nothing is looked for: what there is, in an order, on a page, of a time, of a folder, in all forms.
. "$SOURCE/tests/cli/search/setup.inc"
rm photos/animals/cat.png
search --sort newest --top 2
echo --- && search --sort oldest --top 2 --page 2
echo --- && search --folder photos/fruit
echo --- && search --since 2023 --until 2023 --json | sed -E 's/"(id|bytes)":[0-9]+/"\1":N/g'
echo --- && search --sort path --paths --quiet
search --since 2030 --quiet
"$ALIGN" search --sort newest --html page.html --quiet && grep -c "<li" page.html
grep -oE '<h1>.*|<span class="about">[^<]*' page.html
