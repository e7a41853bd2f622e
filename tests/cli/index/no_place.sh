# Nothing to index.
"$ALIGN" index --store p.db
