# Nothing below the threshold.
. "$SOURCE/tests/cli/search/setup.inc"
search --image photos/fruit/apple.png --threshold 0.99
search --image photos/fruit/apple.png --threshold 1.5
search a dog --threshold -1 | wc -l
