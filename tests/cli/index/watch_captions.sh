# Captions are not watched.
"$ALIGN" index --captions c.txt --watch
