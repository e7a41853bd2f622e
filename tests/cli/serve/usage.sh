# What is refused before a model is loaded.
check() {
    "$ALIGN" serve "$@" 2>&1
    echo "exit code $?"
}
unset ALIGN_TOKEN
check --host 0.0.0.0
check --host example.org --token ""
check --port 65536
check --queue 10 --max-inputs 11
check nonsense
