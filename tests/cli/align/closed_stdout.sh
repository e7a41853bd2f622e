# Output that goes nowhere.
"$ALIGN" --version >&-
