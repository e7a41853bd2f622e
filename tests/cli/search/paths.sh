# Nothing but paths, for other programs.
. "$SOURCE/tests/cli/search/setup.inc"
search a red fruit --top 2 --paths
search a red fruit --top 2 --null | tr '\0' ';'
"$ALIGN" search a red fruit --top 2 --null | xargs -0 ls | wc -l
