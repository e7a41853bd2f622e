# A file that is no index.
echo "no index" >notes.db
"$ALIGN" search a dog --store notes.db
