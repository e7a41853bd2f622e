# There are ways to show pictures, and these are not.
"$ALIGN" search a dog --show=ascii
