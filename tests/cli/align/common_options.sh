# Every command takes the common options.
for command in $("$ALIGN" --help | sed -n '/^commands:/,/^$/s/^  \([a-z]*\) .*/\1/p' | grep -v '^help$'); do
    found=$("$ALIGN" $command --help | grep -c -E '^  --(model DIR|json|threads N|precision f32|quiet|help)( |$|[|])')
    [ "$found" -eq 6 ] || echo "$command: $found of 6"
done
