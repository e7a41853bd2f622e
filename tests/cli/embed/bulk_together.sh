# Two processes share the work: neither does what the other has done, and together they do what one does alone.
. "$SOURCE/tests/cli/embed/shards.inc"
for n in 1 2 3 4 5 6; do shard $n.tar ${n}01 ${n}20; done
bulk *.tar --output alone --parquet >/dev/null
bulk *.tar --output both --parquet >first &
bulk *.tar --output both --parquet >second && wait $! || echo "failed"
cat first second | awk '{ sum += $1 } END { print sum " shards" }'
diff -r alone both && ls both | wc -l | tr -d ' '
