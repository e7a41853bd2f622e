# A packed model has one form.
"$ALIGN" convert "$DATA/models/tiny" o --precision int8 --dtype f16
