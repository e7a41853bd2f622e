# The version, on stdout.
"$ALIGN" --version
