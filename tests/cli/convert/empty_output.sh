# A folder without a name.
"$ALIGN" convert "$DATA/models/tiny" ""
