#!/bin/sh
# bench.sh BUILD: runs every benchmark that was built, one after the other, alone on the machine.
set -eu
build=$1
found=
for program in "$build"/bench_* "$build"/bench/bench_*; do
    [ -x "$program" ] && [ -f "$program" ] || continue
    found=yes
    echo "== $(basename "$program")"
    "$program"
done
[ -n "$found" ] || echo "no benchmark was built" >&2
