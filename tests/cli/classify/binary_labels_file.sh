# A labels file that is no text.
printf 'cat\n\000dog' >labels.txt
"$ALIGN" classify cat.png --labels-file labels.txt
