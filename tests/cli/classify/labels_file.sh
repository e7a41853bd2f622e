# A labels file with a byte order mark, CRLF, an empty line, blanks and no end.
printf '\357\273\277cat\r\n\n dog \na photo of a cat' >labels.txt
cd "$DATA/hub"
"$ALIGN" classify tall.png --labels-file "$TMP/labels.txt" --model . --json
