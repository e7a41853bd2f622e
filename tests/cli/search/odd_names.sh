# Names of any bytes go in and come out.
here=$(pwd -P)
mkdir photos
for name in "$(printf 'two\nlines.png')" "$(printf 'latin\3511.png')" 'a "b" <i>&amp;.png' " blank .png" "-dash.png" 'per%20cent#?.png'; do
    cp "$MODELS/demo/cat.png" "photos/$name"
done
ALIGN_STORE=$here/index.db
export ALIGN_STORE
"$ALIGN" index photos --quiet >/dev/null || exit 1
"$ALIGN" search a cat --null | sort -z >found && find "$here/photos" -name '*.png' -print0 | sort -z | cmp - found && echo all
"$ALIGN" search a cat | sed "s|.*photos/||" | LC_ALL=C sort
"$ALIGN" search a cat --json | wc -l
"$ALIGN" search a cat --html page.html && grep -c "<img" page.html
grep -o 'href="[^"]*"' page.html | sed "s|$here||" | LC_ALL=C sort
grep -o '<span class="name" title="[^>]*>' page.html | sed "s|$here||" | LC_ALL=C sort
