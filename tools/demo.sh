#!/bin/sh
# demo.sh: the main job, offline, on pictures and the model of the repository: which words fit which picture. With
# --readme it writes the first screen's example anew into README.md, so that what stands there is what comes out.
set -eu
cd "$(dirname "$0")/.."

# Shows a command as one would type it, and what it prints.
show() {
    echo "\$ $1"
    PATH="$PWD/build:$PATH" sh -c "$1"
}

if [ "${1:-}" = --readme ]; then
    block=$(mktemp)
    trap 'rm -f "$block"' EXIT
    {
        echo '```console'
        show 'align classify models/demo/apple.png models/demo/cat.png --labels-file models/demo/labels.txt --top 3'
        echo
        show 'align similarity --image models/demo/apple.png models/demo/cat.png --text "a red fruit" "a pet"'
        echo '```'
    } >"$block"
    awk -v block="$block" '
        /<!-- demo -->/ { print; while ((getline line < block) > 0) print line; skip = 1 }
        /<!-- end of demo -->/ { skip = 0 }
        !skip' README.md >README.md.new
    mv README.md.new README.md
    exit
fi
echo "# drawings of things that the model knows"
show 'cd models/demo && align classify apple.png strawberry.png crying_face.png guitar.png sailboat.png cactus.webp banana.jpg --labels-file labels.txt --top 2'
echo
echo "# drawings of things that it was never shown: it knows the words, and finds what is alike (models/emoji/README.md)"
show 'cd models/demo && align classify tomato.png tree.png turkey.png bus.png sloth.png --labels-file labels.txt --top 2'
echo
echo "# and by words"
show 'cd models/demo && align similarity --image apple.png sad_face.png fish.png rain.png --text "a red fruit" "a sad face" "an animal that swims" "bad weather"'
