# Something must be looked for.
"$ALIGN" search --top 3 --minus people
