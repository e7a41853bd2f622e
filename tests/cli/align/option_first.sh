# An option before the command.
"$ALIGN" --json classify
