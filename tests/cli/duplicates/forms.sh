# Groups as paths, as what may go, as JSON, as a page.
. "$SOURCE/tests/cli/duplicates/setup.inc"
duplicates --paths
duplicates --null --omit-first | tr '\0' ';'
echo
duplicates --json | sed 's/"id":[0-9]*,//g; s/"score":[.0-9]*/SCORE/g; s/"modified":"[^"]*"/MODIFIED/g'
"$ALIGN" duplicates --html page.html && grep -c "<img" page.html && grep -o "<h2>.*</h2>" page.html
