# A slice on each process is a process with as many slices: the same dropout and, in batch norm, the same statistics.
. "$SOURCE/tests/cli/train/ranks.inc"
train --output one --log one.jsonl --slice 4 >/dev/null || exit 1
ranks 2 --output two --log two.jsonl --dropout on >/dev/null || exit 1
same_losses one two
