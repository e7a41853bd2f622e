# Each command tells about itself, in three ways.
for command in classify similarity embed process decode forward inspect convert; do
    "$ALIGN" help $command >a && "$ALIGN" $command --help >b && "$ALIGN" $command -h >c && cmp a b && cmp a c || exit 1
    head -n 1 a | cut -d ' ' -f 1-3
done
