# A file of a kind it does not write.
"$ALIGN" embed --text cat --output o.txt
