# Vectors that were cut are named, with what to do about them; what is lost goes, and comes back by itself.
mkdir photos && cp "$MODELS/demo/dog.png" "$MODELS/demo/cat.png" "$MODELS/demo/car.png" photos
ALIGN_STORE=p.db
export ALIGN_STORE
"$ALIGN" index photos --quiet >/dev/null
"$ALIGN" index repair
head -c 4700 p.db-vectors-1 >short && cp short p.db-vectors-1
"$ALIGN" search a dog 2>&1
"$ALIGN" index repair
"$ALIGN" index repair --json
"$ALIGN" index photos | tail -n 1
"$ALIGN" search a dog --json | wc -l
rm p.db-vectors-1
"$ALIGN" index photos 2>&1
"$ALIGN" index repair --json && "$ALIGN" index photos
"$ALIGN" index repair --store none.db 2>&1
"$ALIGN" index repair photos 2>&1 | head -n 1
