# The page is opened: one that was named, or one in the cache.
. "$SOURCE/tests/cli/search/setup.inc"
mkdir bin && printf '#!/bin/sh\ngrep -c "<img" "$1"\necho "opened $1"\n' >bin/xdg-open && chmod +x bin/xdg-open
PATH=$here/bin:$PATH
search a dog --top 2 --open --html "$here/page.html"
search a dog --open | sed "s|opened .*/cache/|opened CACHE/|"
printf '#!/bin/sh\nexit 3\n' >bin/xdg-open
search a dog --open
"$ALIGN" search a dog --open --html page.html
