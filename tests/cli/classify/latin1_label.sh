# A label in another encoding.
"$ALIGN" classify cat.png --labels "$(printf 'caf\351')"
