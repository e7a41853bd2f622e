/*
 * no_search.c: the commands of a library that was built without indices: they say so.
 */
#include "cli.h"

static int run(const cli_command *self, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return cli_fail("%s: built without search (it needs SQLite and xxHash)", self->name);
}

const cli_command cli_index = {.name = "index", .run = run};
const cli_command cli_search = {.name = "search", .run = run};
const cli_command cli_duplicates = {.name = "duplicates", .run = run};
