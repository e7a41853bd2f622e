# The best, in the order of their dates.
. "$SOURCE/tests/cli/search/setup.inc"
search a red fruit --top 2 --sort newest
search a red fruit --top 2 --sort oldest
