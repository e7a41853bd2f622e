# A page that cannot be written is told of before the work.
"$ALIGN" search a dog --html nowhere/page.html
