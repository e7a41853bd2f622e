# A labels file in another encoding.
printf 'cat\ncaf\351\n' >labels.txt
"$ALIGN" classify cat.png --labels-file labels.txt
