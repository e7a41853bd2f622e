# Weights that leave nothing to look for.
. "$SOURCE/tests/cli/search/setup.inc"
"$ALIGN" search a dog --minus "a dog"
"$ALIGN" search a dog --text-weight 0
