# Completion of commands, options and words.
command -v bash >/dev/null || { printf 'classify convert\n--labels --labels-file\nmax_length longest do_not_pad\n' && exit 0; }
cat >complete.bash <<'END'
source "$SOURCE/apps/cli/completion.bash"
complete_line() {
    COMP_WORDS=("$ALIGN" "$@") COMP_CWORD=$#
    _align
    echo "${COMPREPLY[*]}"
}
complete_line c
complete_line classify --l
complete_line process --padding ""
END
bash complete.bash
