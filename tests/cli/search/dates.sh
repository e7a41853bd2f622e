# Since and until a date: the whole of it.
. "$SOURCE/tests/cli/search/setup.inc"
dated() { echo "$*" && search a dog --paths --threshold -1 --sort oldest "$@"; }
dated --since 2024
dated --until 2023
dated --since 2022-05 --until 2022-05
dated --since "2023-12-31 23:59:59" --until "2024-01-01T00:00"
dated --since 2021-06-01 --until 2021-06-01
dated --since 2021-06-02 --until 2022-05-16 --quiet
