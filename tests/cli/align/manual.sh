# The manual pages and --help name the same options.
for command in classify similarity embed process decode forward inspect convert; do
    "$ALIGN" $command --help | grep -o '^  --[a-z-]*' | tr -d ' ' | sort >"$command.help"
    sed -n 's/^\.It Fl Fl \([a-z-]*\).*/--\1/p' "$SOURCE/docs/man/align-$command.1" | sort >"$command.page"
    diff "$command.help" "$command.page" || exit 1
    grep -q "^\.It Cm $command\$" "$SOURCE/docs/man/align.1" || exit 1
done
