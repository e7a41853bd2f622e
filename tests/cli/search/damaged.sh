# A file of vectors that is shorter than its rows.
. "$SOURCE/tests/cli/search/setup.inc"
for file in index.db-vectors*; do head -c 4200 "$file" >short && cp short "$file"; done
"$ALIGN" search a dog
