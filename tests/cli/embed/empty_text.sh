# An empty text has an embedding.
"$ALIGN" embed --text "" --model "$DATA/hub" --json | cut -c 1-23
