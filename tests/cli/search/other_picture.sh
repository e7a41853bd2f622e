# A picture that the index does not know: from a file, a folder, standard input.
. "$SOURCE/tests/cli/search/setup.inc"
mkdir more && cp "$MODELS/demo/green_apple.png" more
search --image more/green_apple.png --top 1
search --image more --top 1
search --image - --top 1 <more/green_apple.png
