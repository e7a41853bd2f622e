# Three ways to the overview of nine commands.
"$ALIGN" --help >a && "$ALIGN" help >b && "$ALIGN" -h >c && cmp a b && cmp a c && grep -c "^  [a-z]" a
