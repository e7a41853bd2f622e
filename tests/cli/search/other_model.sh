# An index of another model is named with both models.
. "$SOURCE/tests/cli/search/setup.inc"
"$ALIGN" search a dog --model "$DATA/hub"
