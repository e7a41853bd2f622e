# A text that begins with a dash.
"$ALIGN" embed --text=-cat --model "$DATA/hub" --json | cut -c 1-27
