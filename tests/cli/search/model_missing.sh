# No model for the words.
. "$SOURCE/tests/cli/search/setup.inc"
"$ALIGN" search a dog --model nowhere
