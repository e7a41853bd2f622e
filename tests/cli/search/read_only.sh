# A disk that cannot be written to (here: a folder without the right to).
. "$SOURCE/tests/cli/search/setup.inc"
chmod -R a-w .
search a red fruit --top 1
chmod -R u+w .
