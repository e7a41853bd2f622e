#!/bin/bash
# ranks.sh ALIGN PAIRS STEPS OPTIONS...: what training in two processes gains. Trains STEPS steps of PAIRS pairs a process,
# one thread each: one process, two that know nothing of each other, and two ranks of twice the batch, each pinned to a
# core of its own. Prints medians of a step and the pairs a second.
#
#     bench/ranks.sh build/align 32 20 --model models/emoji --data models/demo/pictures.tsv
set -eu
align=$1 pairs=$2 steps=$3
shift 3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

# CORE NAME BATCH OPTIONS...
command_for() {
    printf '%q ' taskset -c "$1" "$align" train --output "$work/$2" --log "$work/$2.jsonl" --batch "$3" --steps "$steps" \
        --save-every "$steps" --cache 1GB --loader-threads 0 --threads 1 --dropout off --quiet "${@:4}"
}

median() {
    sed 's/.*"seconds": \([^,]*\),.*/\1/' "$work/$1.jsonl" | sort -g | awk '{ x[NR] = $1 } END { print x[int((NR + 1) / 2)] }'
}

say() {
    awk -v what="$1" -v seconds="$2" -v pairs="$3" \
        'BEGIN { printf "%-12s %8.1f ms a step %8.2f pairs/s\n", what, 1e3 * seconds, pairs / seconds }'
}

eval "$(command_for 0 one "$pairs" "$@")" >/dev/null
say one "$(median one)" "$pairs"

eval "$(command_for 0 left "$pairs" "$@")" >/dev/null &
eval "$(command_for 1 right "$pairs" "$@")" >/dev/null
wait
say "two apart" "$(median left)" "$pairs"
say "" "$(median right)" "$pairs"

eval "mpirun --bind-to none -n 1 $(command_for 0 two $((2 * pairs)) "$@") : -n 1 $(command_for 1 two $((2 * pairs)) "$@")" >/dev/null
say "two ranks" "$(median two)" $((2 * pairs))
