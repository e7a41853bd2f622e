# Texts are UTF-8.
"$ALIGN" search "$(printf 'caf\351')"
