# Two servers cannot have one port.
"$ALIGN" serve --port 0 --quiet >said &
server=$!
until [ -s said ]; do sleep 0.05; done
port=$(sed 's/.*://' said)
"$ALIGN" serve --port "$port" --quiet 2>&1 | sed "s/$port/PORT/"
kill -TERM $server
wait $server
