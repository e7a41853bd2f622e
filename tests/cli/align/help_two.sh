# Help on two commands.
"$ALIGN" help embed decode
