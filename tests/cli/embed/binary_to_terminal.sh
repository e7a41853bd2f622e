# Bytes are not for a terminal.
command -v script >/dev/null || { echo 'not for a terminal'; exit 0; }
script -qec '"$ALIGN" embed --text cat --output -' /dev/null | grep -o 'not for a terminal'
