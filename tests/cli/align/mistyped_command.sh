# A command mistyped.
"$ALIGN" clasify cat.png
