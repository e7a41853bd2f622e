# Several templates are averaged.
cd "$DATA/hub"
"$ALIGN" classify wide.jpg tall.png --labels 'cat, dog' --labels 'photo' --template 'a photo of a {}' --template '{}, the {}!' --model . --json
