# A variant is no path.
"$ALIGN" convert --output o --variant ../x
