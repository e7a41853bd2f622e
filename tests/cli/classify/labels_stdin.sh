# Labels from standard input.
cd "$DATA/hub"
printf 'cat\ndog\na photo of a cat\n' | "$ALIGN" classify tall.png --labels-file - --model . --json
