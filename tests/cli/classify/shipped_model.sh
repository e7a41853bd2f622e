# Without --model the model that ships is found, from any folder, and it knows what to do with the demo.
cd /
pictures=$(ls "$MODELS/demo" | grep -c -E '\.(jpg|png|webp|gif)$')
"$ALIGN" classify "$MODELS/demo" --labels-file "$MODELS/demo/labels.txt" --json --top 1 >"$TMP/o"
[ "$(wc -l <"$TMP/o")" -eq "$pictures" ] && grep -c -v '^{"image":".*","labels":\[{"label":".*","probability":.*,"logit":.*}\]}$' "$TMP/o"
"$ALIGN" inspect | head -n 1 | grep -o '^model *AlignModel'
