# Words find pictures.
. "$SOURCE/tests/cli/search/setup.inc"
"$ALIGN" search a red fruit --top 2 | sed -E "s|$here/||; s/^0\.[0-9]{3}  /SCORE  /"
