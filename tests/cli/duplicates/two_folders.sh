# Within several folders together: what is alike in one of them, and in one and another; no other.
. "$SOURCE/tests/cli/duplicates/setup.inc"
mkdir more && cp "$MODELS/demo/dog.png" more && (cat more/dog.png && echo) >photos/copies/dog2.png
touch -d '2024-05-17 12:00' more/*.png photos/copies/*.png
"$ALIGN" index more photos --quiet >/dev/null
duplicates photos/copies more
echo --- && duplicates more photos/copies/../copies photos/copies --omit-first --paths
"$ALIGN" duplicates $(seq 65) 2>&1 | head -n 1
