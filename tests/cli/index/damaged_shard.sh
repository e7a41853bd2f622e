# A shard that is cut off is unreadable as a whole; the others are not.
mkdir s && cp "$DATA/hub/tall.png" s/1.png && cp "$DATA/hub/wide.jpg" s/2.jpg
tar --format=ustar -C s -cf s.tar 1.png 2.jpg && head -c 700 s.tar >cut.tar && tar --format=ustar -cf none.tar -T /dev/null
"$ALIGN" index cut.tar s.tar none.tar --model "$DATA/hub" --store p.db
