# Files that are gone are marked.
. "$SOURCE/tests/cli/search/setup.inc"
rm photos/fruit/apple.png
search a red fruit --top 2
search a red fruit --top 1 --json | grep -o '"missing":[a-z]*'
search a red fruit --top 2 --paths
"$ALIGN" search a red fruit --html page.html && grep -c "not there any more" page.html
