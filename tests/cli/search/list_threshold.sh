# What is not looked for has no score.
"$ALIGN" search --since 2024 --threshold 0.3
