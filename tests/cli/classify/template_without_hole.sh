# A template that is the same for every label.
"$ALIGN" classify cat.png --labels cat --template '{}' --template 'a photo'
