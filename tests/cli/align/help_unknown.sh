# Help on what does not exist.
"$ALIGN" help paint
