# An option without its value, before another option.
"$ALIGN" embed --text cat --model --json
