#!/bin/sh
# bench.sh: how long the model that ships takes on this machine, tower by tower. Against other engines, on the full-size
# model: bench/compare.py.
set -eu
cd "$(dirname "$0")/.."
inputs=$(mktemp -d)
trap 'rm -rf "$inputs"' EXIT

set -- models/demo/*.png
while [ $# -gt 8 ]; do shift; done
build/align process --quiet --image "$@" --text apple "a red fruit" "a sad face" dog car house sun "a cup of coffee" \
    --output "$inputs/inputs.safetensors"
for tower in image text; do
    for batch in 1 8; do
        for threads in 1 "$(nproc)"; do
            printf '%2d threads: ' "$threads"
            build/align bench --inputs "$inputs/inputs.safetensors" --tower $tower --batch $batch --threads "$threads" \
                --seconds 1
        done
    done
done
