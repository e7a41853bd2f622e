#!/bin/sh
# headers.sh INCLUDE: every public header compiles alone, as strict C17 and as C++17, without a warning.
set -eu
include=$1
for header in "$include"/align/*.h; do
    echo "$header"
    cc -std=c17 -pedantic-errors -Wall -Wextra -Werror -I"$include" -fsyntax-only -x c "$header"
    if command -v c++ >/dev/null; then
        c++ -std=c++17 -pedantic-errors -Wall -Wextra -Werror -I"$include" -fsyntax-only -x c++ "$header"
    fi
done
