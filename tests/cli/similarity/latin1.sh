# A text in another encoding.
"$ALIGN" similarity --image a.png --text ok "$(printf 'caf\351')"
