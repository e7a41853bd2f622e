# No index: where one would be, and how it is made.
"$ALIGN" search a dog
