# A flag with a value.
"$ALIGN" embed --text cat --json=yes
