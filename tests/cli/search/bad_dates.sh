# Dates that are none.
for date in "" x 24 2024- 2024-13 2024-00 2024-02-30 2023-02-29 2024-1-1 2024-01-01x "2024-01-01 25:00" "2024-01-01 10" 2024-01-01T10:60 "2024-01-01 " yesterday; do
    "$ALIGN" search a dog "--since=$date" 2>message
    [ $? -eq 2 ] || echo "'$date': wrong exit code"
    grep -F "not '$date'" message >/dev/null || cat message
done
"$ALIGN" search a dog --until 2024-02-30
