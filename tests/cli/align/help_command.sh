# Each command tells about itself, in three ways.
for command in $("$ALIGN" --help | sed -n '/^commands:/,/^$/s/^  \([a-z]*\) .*/\1/p' | grep -v '^help$'); do
    "$ALIGN" help $command >a && "$ALIGN" $command --help >b && "$ALIGN" $command -h >c && cmp a b && cmp a c || exit 1
    head -n 1 a | grep -q "^usage: align $command " || exit 1
done
