# A file that is no picture any more is said to be none, and the page goes on.
. "$SOURCE/tests/cli/search/setup.inc"
echo "no picture" >photos/fruit/apple.png
search an apple --html page.html
grep -c "<img" page.html
grep -o 'no picture: .*expected' page.html | sed "s|$here/||"
