# Texts are items, in a table or a plain list.
printf 'image\ttext\na.jpg\ta photo of a cat\nb.jpg\ta dog\nc.jpg\ta photo of a cat\n' >c.tsv
printf 'a cat\n\na tree\na dog\n' >c.txt
index() { "$ALIGN" index --captions "$@" --model "$DATA/hub" --store p.db; }
index c.tsv c.txt
index c.tsv c.txt
printf 'a cat\na dog\n' >c.txt
index c.txt --prune
"$ALIGN" search a dog --kind text --model "$DATA/hub" --store p.db --top 2 --json | grep -o '"text":"[^"]*"'
