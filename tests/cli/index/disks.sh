# Small, full and read-only disks: named, searched all the same, and nothing is lost.
unshare --mount true 2>/dev/null || { echo "needs the right to mount"; exit 77; }
mkdir photos disk && cp "$MODELS/demo/dog.png" "$MODELS/demo/cat.png" "$MODELS/demo/car.png" photos
cat >steps <<'END'
mount -t tmpfs -o size=48k none disk || { echo "cannot mount"; exit 77; }
try() { "$ALIGN" "$@" --store disk/p.db 2>&1 | sed -E 's/^(.*disk\/p.db[^:]*: ).*(No space left|full).*/\1no room/'; }
echo small && try index photos --quiet | tail -n 1
mount -o remount,size=1m disk
try index photos
echo full && cat /dev/zero >disk/fill 2>/dev/null
try search a dog --json | wc -l
try index status --json | grep -o '"images":3'
try index remove photos
rm disk/fill
echo read-only && mount -o remount,ro disk
try search a dog --json | wc -l
try index photos
try index repair
"$ALIGN" index photos --store disk/new.db 2>&1
mount -o remount,rw disk
try index photos
END
unshare --mount sh steps
