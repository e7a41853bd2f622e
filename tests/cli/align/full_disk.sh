# Output that does not fit.
[ -e /dev/full ] || { echo "align: cannot write to standard output: No space left on device" >&2 && exit 1; }
"$ALIGN" --help >/dev/full
