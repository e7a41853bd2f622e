# Standard input named twice.
cd "$DATA/hub"
"$ALIGN" classify - - --labels cat,dog --model . --json <tall.png | wc -l | tr -d " "
