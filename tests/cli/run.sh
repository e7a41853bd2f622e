#!/bin/sh
# run.sh CASE.sh: runs one case of the command and holds what comes out against the files beside it.
#
#   CASE.sh      the commands, run by sh in a new empty folder, $TMP
#   CASE.stdout  what stdout must be; numbers may differ as close.awk allows. Absent: nothing is printed
#   CASE.stderr  every line must occur somewhere in stderr. Absent: stderr is empty
#   CASE.exit    the exit code. Absent: 0
#
# Indices and pages that nobody named land beside $TMP, and the time is UTC.
#
# A case that cannot be run here says why on stdout and exits with 77.
#
# The environment gives ALIGN (the program), COMPARE (compare_tensors), DATA (tests/golden), MODELS and SOURCE (the tree).
set -u
case_file=$1
base=${case_file%.sh}
here=$(dirname "$0")
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
TMP=$work/tmp
export TMP
mkdir "$TMP"
unset ALIGN_MODEL ALIGN_STORE
XDG_DATA_HOME=$work/data XDG_CACHE_HOME=$work/cache TZ=UTC0
export XDG_DATA_HOME XDG_CACHE_HOME TZ

(cd "$TMP" && sh "$case_file") >"$work/stdout" 2>"$work/stderr" </dev/null
code=$?
[ "$code" -ne 77 ] || { cat "$work/stdout" && exit 77; }

failed=0
complain() {
    echo "$case_file: $1"
    failed=1
}

expected=0
[ -e "$base.exit" ] && expected=$(cat "$base.exit")
[ "$code" -eq "$expected" ] || complain "exit code $code, expected $expected"

expected=$base.stdout
[ -e "$expected" ] || expected=/dev/null
if ! cmp -s "$expected" "$work/stdout" && ! awk -f "$here/close.awk" "$expected" "$work/stdout"; then
    complain "stdout differs"
    diff "$expected" "$work/stdout" | head -n 40
fi

if [ -e "$base.stderr" ]; then
    while IFS= read -r line; do
        grep -qF -e "$line" "$work/stderr" || complain "stderr lacks: $line"
    done <"$base.stderr"
else
    [ -s "$work/stderr" ] && complain "stderr is not empty"
fi
[ "$failed" -eq 0 ] || { echo "--- stderr:" && cat "$work/stderr"; }
exit "$failed"
