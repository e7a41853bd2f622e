# Copies are found, and what is nearly alike where that is asked for.
. "$SOURCE/tests/cli/duplicates/setup.inc"
duplicates
echo ---
duplicates --threshold 0.7 | grep tomato
"$ALIGN" duplicates | grep -c '^1\.000'
