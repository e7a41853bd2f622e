# No index where one was said to be.
"$ALIGN" search a dog --store other.db
