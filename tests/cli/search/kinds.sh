# Texts among texts, texts for pictures, both.
. "$SOURCE/tests/cli/search/setup.inc"
printf 'a dog\na red car\na bowl of soup\n' >captions.txt
"$ALIGN" index --captions captions.txt --quiet >/dev/null || exit 1
search a puppy --kind text --top 1
search --image photos/animals/dog.png --kind text --top 1
search a puppy --kind all --top 9 | wc -l
search a puppy --top 9 | wc -l
"$ALIGN" search a puppy --kind all --html page.html && grep -c '<blockquote class="text">' page.html
