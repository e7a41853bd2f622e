# A picture that is in the index, and has not changed, needs no model.
. "$SOURCE/tests/cli/search/setup.inc"
search --image photos/fruit/apple.png --top 2 --model nowhere
cd photos/fruit && search --image ../fruit/apple.png --top 1 --model nowhere
touch apple.png && search --image apple.png --top 1 --model nowhere
search --image apple.png --top 1
