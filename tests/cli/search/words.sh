# Words are one text, in quotes or not, with the option or without.
. "$SOURCE/tests/cli/search/setup.inc"
search "a red fruit" --json >quoted && search a red fruit --json >bare && search --text "a red fruit" --json >option
cmp quoted bare && cmp quoted option && wc -l <bare
