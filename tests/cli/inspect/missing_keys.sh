# What loading misses.
"$ALIGN" inspect "$DATA/models/missing_keys" | grep "^missing"
