# Every command takes the common options.
for command in classify similarity embed process decode forward inspect convert; do
    "$ALIGN" $command --help | grep -c -E '^  --(model DIR|json|threads N|precision f32|quiet|help)( |$|[|])'
done
