# Names with line feeds, and with bytes that are no UTF-8.
mkdir photos && cp "$DATA/hub/tall.png" "$(printf 'photos/new\nline.png')" && cp "$DATA/hub/wide.jpg" "$(printf 'photos/\377.jpg')"
"$ALIGN" index photos --model "$DATA/hub" --store p.db
"$ALIGN" index photos --model "$DATA/hub" --store p.db --prune
"$ALIGN" search x --model "$DATA/hub" --store p.db --null | tr '\0' '\n' | wc -l | tr -d ' '
