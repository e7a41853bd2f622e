# A page that needs nothing else: pictures inside, links to the files, no scripts.
. "$SOURCE/tests/cli/search/setup.inc"
search 'a <b>"dog"</b> & more' --image photos/car.png --minus people --html page.html
grep -c '<img alt="" width="72" height="72" src="data:image/jpeg;base64,/9j/' page.html
grep -o '<h1>.*</h1>' page.html
grep -o 'href="file:///[^"]*"' page.html | sed "s|$here||" | sort
grep -c -E 'https?:|<script|<link' page.html
ls
search a dog --top 2 --html page.html --json | wc -l && grep -c "<img" page.html
