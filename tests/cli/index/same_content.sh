# Of several new files of one content the model sees one; all have the same vector.
mkdir photos && for n in 1 2 3 4 5 6 7 8 9; do cp "$DATA/hub/tall.png" photos/$n.png; done
"$ALIGN" index photos --model "$DATA/hub" --store p.db
"$ALIGN" duplicates --store p.db --model "$DATA/hub" --threshold 0.9999 --json | grep -o '[0-9].png' | sort | tr -d '\n' && echo
