# The manual pages and --help name the same commands and options.
list_commands() { "$ALIGN" --help | sed -n '/^commands:/,/^$/s/^  \([a-z]*\) .*/\1/p' | grep -v '^help$'; }
list_commands >commands
sed -n 's/^\.It Cm \([a-z]*\)$/\1/p' "$SOURCE/docs/man/align.1" >pages
grep -q '^search$' commands || sed -i -E '/^(index|search|duplicates)$/d' pages # in a build without it
grep -q '^serve$' commands || sed -i '/^serve$/d' pages                            # likewise
diff commands pages || exit 1
while read -r command; do
    "$ALIGN" $command --help | grep -o '^  --[a-z-]*' | tr -d ' ' | sort >"$command.help"
    sed -n 's/^\.It Fl Fl \([a-z-]*\).*/--\1/p' "$SOURCE/docs/man/align-$command.1" | sort >"$command.page"
    diff "$command.help" "$command.page" || exit 1
done <commands
