# Three ways to the overview.
"$ALIGN" --help >a && "$ALIGN" help >b && "$ALIGN" -h >c && cmp a b && cmp a c && head -n 1 a
