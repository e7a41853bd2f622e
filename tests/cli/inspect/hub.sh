# A model for people.
cd "$DATA/hub"
"$ALIGN" inspect .
