# It says where it listens, and ends in good order.
"$ALIGN" serve --port 0 --quiet >said &
server=$!
until [ -s said ]; do sleep 0.05; done
sed 's/:[0-9]*$/:PORT/' said
kill -TERM $server
wait $server
