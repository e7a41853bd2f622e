#!/bin/sh
# bench.sh [DIR]: the benchmarks of this machine. First the model that ships, tower by tower; then, in DIR (default:
# build/full-size, 2.5 GB), the full-size model with random weights beside the other engines, start-up, and preparation. The
# engines are those that $PYTHON (default: python3) has installed, see bench/requirements.txt; without PyTorch or a DIR
# that is complete there is only the first part.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
full=${1:-build/full-size}
inputs=$(mktemp -d)
trap 'rm -rf "$inputs"' EXIT

echo "the model that ships:"
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

printf '\nthe full-size model, in %s:\n' "$full"
"$python" bench/compare.py make "$full"
if [ ! -f "$full/expected.safetensors" ]; then
    echo "bench: the full-size model needs PyTorch: pip install -r bench/requirements.txt, then PYTHON=..." >&2
    exit 0
fi
threads=1
[ "$(nproc)" -eq 1 ] || threads=1,2
"$python" bench/compare.py compare "$full" --threads $threads
echo
"$python" bench/startup.py "$full"

cmake --build build --target bench_preparation >/dev/null
for script in bench/tokenizer.py bench/prepare.py; do
    printf '\n%s:\n' "$script"
    "$python" $script || echo "bench: $script: failed" >&2
done
