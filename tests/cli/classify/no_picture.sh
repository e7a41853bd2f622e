# No picture.
"$ALIGN" classify --labels cat,dog
