# Two things for standard output.
"$ALIGN" embed --text cat --json --output -
