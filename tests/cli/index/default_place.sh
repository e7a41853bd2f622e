# Without --store the index is where the user's data is.
cp "$DATA/hub/tall.png" a.png
XDG_DATA_HOME=$TMP/data; export XDG_DATA_HOME; unset ALIGN_STORE
"$ALIGN" index a.png --model "$DATA/hub" | sed "s|$TMP|T|"
ALIGN_STORE=$TMP/other.db "$ALIGN" index a.png --model "$DATA/hub" | sed "s|$TMP|T|"
ls data/align/index.db
