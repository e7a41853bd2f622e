# Without a command: the overview, as an error.
"$ALIGN"
