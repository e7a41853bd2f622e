# Pictures have no place among JSON.
"$ALIGN" search a dog --show --json
