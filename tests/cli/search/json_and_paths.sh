# Two forms of output at once.
"$ALIGN" search a dog --json --paths
