# A picture without its option.
"$ALIGN" similarity a.png --text a
