# Pictures of tar files are items, with what is said about them.
mkdir s && cp "$DATA/hub/tall.png" s/1.png && echo "a tall one" >s/1.txt && cp "$DATA/hub/wide.jpg" s/2.jpg && echo 3 >s/3.txt
tar --format=ustar -C s -cf s.tar 1.png 1.txt 2.jpg 3.txt
index() { "$ALIGN" index "$@" --model "$DATA/hub" --store p.db; }
index s.tar
index s.tar
cp s.tar t.tar && index s.tar t.tar
"$ALIGN" search x --folder t.tar --model "$DATA/hub" --store p.db --json | grep -o '"text":"[^"]*"'
tar --format=ustar -C s -cf t.tar 2.jpg && index t.tar --prune
