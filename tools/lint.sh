#!/bin/bash
# lint.sh: the rules of the house that a machine can check (docs/architecture.md, CONTRIBUTING.md). Prints what breaks
# them and fails; prints one line when all is well.
set -u
cd "$(dirname "$0")/.."

failures=0
complain() {
    printf 'lint: %s\n' "$*" >&2
    failures=$((failures + 1))
}

tracked() { git ls-files -- "$@"; }
handwritten() { tracked "$@" | xargs -r tools/handwritten.sh; }

MAX_LINES=600

check_format() {
    local version
    version=$(clang-format --version 2>/dev/null | grep -o 'version [0-9]*')
    if [ "$version" != "version 14" ]; then
        complain "clang-format 14 is needed (found: ${version:-none}); other versions format differently"
        return
    fi
    local file
    for file in $(handwritten '*.c' '*.h'); do
        clang-format --dry-run -Werror "$file" >/dev/null 2>&1 || complain "$file: not formatted (make format)"
    done
}

check_lengths() {
    local file lines
    for file in $(handwritten '*.c' '*.h' '*.py' '*.sh'); do
        lines=$(wc -l <"$file")
        [ "$lines" -le $MAX_LINES ] || complain "$file: $lines lines, at most $MAX_LINES"
    done
}

# A file says at its top what it is for.
check_heads() {
    local file
    for file in $(tracked '*.c' '*.h'); do
        head -n 4 "$file" | grep -q '/\*' || complain "$file: does not begin with what it is for"
    done
}

# Who may include whom in src/; the same table as CMakeLists.txt and docs/architecture.md.
allowed_arrows() {
    cat <<'TABLE'
kernels base
search kernels base
layers kernels base
checkpoint base
search kernels base
processor kernels checkpoint base
model layers checkpoint kernels base
train model processor layers checkpoint kernels base
TABLE
}

check_arrows() {
    local file room used
    for file in $(tracked 'src/*.c' 'src/*.h'); do
        room=${file#src/}
        room=${room%%/*}
        for used in $(grep -ho '^#include "[a-z_0-9]*/' "$file" | sed 's|.*"||; s|/||' | sort -u); do
            [ "$used" = "$room" ] && continue
            allowed_arrows | grep -qE "^$room( .*)? $used( |\$)" || complain "$file: $room may not use $used"
        done
        grep -n '^#include "[^/"]*"' "$file" | sed "s|^|lint: $file: include with its room's name: |" >&2
        ! grep -q '^#include "[^/"]*"' "$file" || failures=$((failures + 1))
    done
}

# The apps stand on the public headers, like any user's program.
check_apps() {
    local file included
    for file in $(tracked 'apps/*.c' 'apps/*.h'); do
        for included in $(grep -ho '^#include "[^"]*"' "$file" | sed 's|.*"\(.*\)"|\1|'); do
            [ -f "$(dirname "$file")/$included" ] || complain "$file: includes \"$included\", not of its own folder"
        done
    done
}

check_public_headers() {
    local header
    for header in include/align/*.h; do
        cc -std=c17 -pedantic-errors -Wall -Wextra -Werror -Iinclude -fsyntax-only -x c "$header" ||
            complain "$header: does not compile alone as C17"
        if command -v c++ >/dev/null; then
            c++ -std=c++17 -pedantic-errors -Wall -Wextra -Werror -Iinclude -fsyntax-only -x c++ "$header" ||
                complain "$header: does not compile alone as C++17"
        fi
    done
}

check_words() {
    local found
    found=$(git grep -nIE '(^|[^A-Za-z0-9_.-])/(home|root|work|Users)/' -- . ':!LICENSE' ':!tools/lint.sh')
    [ -z "$found" ] || complain "a path of somebody's machine:"$'\n'"$found"
    found=$(git grep -nIE '\b(TODO|FIXME|XXX)\b' -- src apps include tests '*.sh' '*.py' ':!tools/lint.sh')
    [ -z "$found" ] || complain "unfinished:"$'\n'"$found"
    found=$(git grep -nE '\b(printf|puts|putchar|exit|abort|getenv)\(' -- src |
        grep -vE 'src/kernels/dispatch\.c:.*getenv|:[0-9]+: *(/?\*|//)')
    [ -z "$found" ] || complain "the library neither prints nor ends the process nor reads the environment:"$'\n'"$found"
    found=$(git grep -nE '\b(malloc|calloc|realloc|strdup|strndup|free)\(' -- 'src/*.c' ':!src/base/memory.c' |
        grep -vE ':[0-9]+: *(/?\*|//)')
    [ -z "$found" ] || complain "memory comes from base/memory.h:"$'\n'"$found"
    found=$(git grep -nE '#include "[^"]*\.c"')
    [ -z "$found" ] || complain "a .c file is included:"$'\n'"$found"
}

check_names() {
    local twice
    twice=$(tracked 'src/*.c' 'src/*.h' | sed 's|.*/||' | sort | uniq -d | grep -v '^model\.h$')
    [ -z "$twice" ] || complain "two files of the same name in src: $twice"
}

check_format
check_lengths
check_heads
check_arrows
check_apps
check_public_headers
check_words
check_names
if [ $failures -gt 0 ]; then
    echo "lint: $failures complaints" >&2
    exit 1
fi
echo "lint: all is well"
