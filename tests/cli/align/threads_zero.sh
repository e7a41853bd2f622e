# A number of threads that cannot be.
"$ALIGN" embed --text cat --threads=0
