#!/bin/sh
# exports.sh INCLUDE LIBRARY [HEADER]: the shared library gives its users exactly what the public headers declare, but for
# a header of what it was built without.
set -eu
include=$1 library=$2 without=${3:-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
find "$include/align" -name '*.h' ! -name "$without" -exec cat {} + | tr '\n' ' ' | grep -o 'ALIGN_API [^(;]*(' |
    grep -o 'align_[a-z0-9_]*($' | tr -d '(' | sort >"$work/declared"
nm -D --defined-only "$library" | awk '$2 != "A" { print $3 }' | sort >"$work/exported"
diff "$work/declared" "$work/exported" >"$work/diff" || {
    echo "declared (<) against exported (>):"
    cat "$work/diff"
    exit 1
}
echo "$(wc -l <"$work/declared") functions"
