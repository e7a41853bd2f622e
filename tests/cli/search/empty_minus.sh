# No words that are not wanted.
"$ALIGN" search a dog --minus " "
