# Wide characters keep the columns, control characters are shown.
cd "$DATA/hub"
"$ALIGN" classify tall.png --labels-file - --model . <<END
café 中
$(printf 'tab\tand\033[31m')
width: 日本
END
