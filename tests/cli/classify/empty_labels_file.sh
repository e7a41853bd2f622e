# A labels file without labels.
printf '\n \n' >labels.txt
"$ALIGN" classify cat.png --labels-file labels.txt
