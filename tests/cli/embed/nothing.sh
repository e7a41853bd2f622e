# Nothing to embed.
"$ALIGN" embed --json
