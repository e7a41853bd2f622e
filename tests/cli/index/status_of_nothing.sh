# There is no index yet.
"$ALIGN" index status --store p.db
