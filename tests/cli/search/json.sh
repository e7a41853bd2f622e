# A hit a line.
. "$SOURCE/tests/cli/search/setup.inc"
search a red fruit --top 2 --json | sed "s/\"score\":0[.0-9]*/SCORE/"
