# Where more happens than the system keeps for a process to read, the folders are looked through again.
most=$(cat /proc/sys/fs/inotify/max_queued_events)
[ "$most" -le 20000 ] || { echo "the system keeps $most events"; exit 77; }
mkdir photos && cp "$DATA/hub/tall.png" photos/a.png
: >lines
"$ALIGN" index photos --model "$DATA/hub" --store p.db --watch --json >lines 2>errors &
index=$!
wait_for() { until grep -q "$1" lines; do kill -0 $index 2>/dev/null || { echo "ended before: $1"; exit 1; }; done; }
wait_for '"event":"watching"'
kill -STOP $index
# Each makes and closes a file: two events.
(cd photos && seq "$((most / 2 + 1))" | sed 's/$/.txt/' | xargs touch && rm a.png)
cp "$DATA/hub/wide.jpg" photos/b.jpg
kill -CONT $index
wait_for '"added".*/b.jpg'
wait_for '"removed".*/a.png'
kill -TERM $index
wait $index
echo "ended with $?"
cat errors
