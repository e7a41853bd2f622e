# Of a shard that is cut off, what is before the cut is taken, and nothing of it dropped; the others are taken whole.
mkdir s && cp "$DATA/hub/tall.png" s/1.png && cp "$DATA/hub/wide.jpg" s/2.jpg
tar --format=ustar -C s -cf s.tar 1.png 2.jpg && tar --format=ustar -cf none.tar -T /dev/null
cp s.tar cut.tar
index() { "$ALIGN" index "$@" --model "$DATA/hub" --store p.db; echo $?; }
index cut.tar
head -c 5500 s.tar >cut.tar
index cut.tar s.tar none.tar --prune
head -c 700 s.tar >cut.tar
index cut.tar --prune
cp s.tar cut.tar
index cut.tar --prune
