#!/bin/sh
# page_tools.sh FOLDER: fetches into FOLDER what the tests of the server's page (tests/server/page/) need beside node and
# a browser: playwright-core, which drives Chromium, and axe-core, which looks for what keeps people out. The tests look
# for them in the build folder:
#
#   tools/page_tools.sh build/page
#
# Without npm, or without a package registry within reach, it says so and succeeds: the tests skip then.
set -eu
folder=$1
[ ! -d "$folder/node_modules/axe-core" ] || exit 0
log=$(mktemp)
trap 'rm -f "$log"' EXIT
mkdir -p "$folder"
if ! npm install --prefix "$folder" --no-save --no-audit --no-fund --ignore-scripts \
    playwright-core@1.65.1 axe-core@4.14.1 >"$log" 2>&1; then
    echo "page_tools.sh: no tools for the tests of the page: $(tail -n 1 "$log")" >&2
fi
