# Files that a killed run was writing are gone after the next one; those of a process that lives stay.
. "$SOURCE/tests/cli/train/setup.inc"
mkdir out
dead=$(sh -c 'echo $$')
touch out/model.safetensors.$dead-7.tmp loss.svg.$dead-0.tmp log.jsonl.$dead-1.tmp
touch out/config.json.$$-0.tmp other.svg.$dead-0.tmp
train --output out --plot loss.svg --log log.jsonl >/dev/null || exit 1
ls -d out/*.tmp ./*.tmp | sed "s/$dead/dead/; s/$$/alive/"
