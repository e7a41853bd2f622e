# What is not in the index cannot be removed.
cp "$DATA/hub/tall.png" a.png && "$ALIGN" index a.png --model "$DATA/hub" --store p.db && "$ALIGN" index remove b.png --store p.db
