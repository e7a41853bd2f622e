# A folder for a labels file.
"$ALIGN" classify cat.png --labels-file /
