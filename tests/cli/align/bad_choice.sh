# A word that an option does not know.
"$ALIGN" embed --text cat --precision f64
