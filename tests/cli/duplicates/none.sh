# Nothing alike, which is no failure.
. "$SOURCE/tests/cli/duplicates/setup.inc"
rm -r photos/copies && "$ALIGN" index photos --prune --quiet >/dev/null
"$ALIGN" duplicates
