#!/bin/sh
# pgserver.sh FOLDER [PYTHON]: makes a Python environment with pgserver in FOLDER: a PostgreSQL server with the vector
# extension, for tests/postgres/. The tests look for it in the build folder, as FOLDER/bin/python:
#
#   tools/pgserver.sh build/pgserver
#
# Without a Python, or without a package index within reach, it says so and succeeds: the tests skip then.
set -eu
folder=$1 python=${2:-python3}
[ ! -x "$folder/bin/python" ] || exit 0
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { "$python" -m venv "$folder" && "$folder/bin/python" -m pip install --quiet pgserver==0.1.4; } >"$log" 2>&1; then
    rm -rf "$folder"
    echo "pgserver.sh: no server for the tests of PostgreSQL: $(tail -n 1 "$log")" >&2
fi
