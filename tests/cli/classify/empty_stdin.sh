# No picture on standard input.
"$ALIGN" classify - --labels cat,dog --model "$DATA/hub"
