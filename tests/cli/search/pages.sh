# Page after page.
. "$SOURCE/tests/cli/search/setup.inc"
search a dog --json >all
for page in 1 2 3; do search a dog --json --top 2 --page $page; done >pages
cmp all pages && wc -l <pages
search a dog --top 2 --page 4
