/*
 * no_server.c: the command of a build without the HTTP library: it says so.
 */
#include "../cli/cli.h"

static int run(const cli_command *self, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return cli_fail("%s: built without server (it needs libmicrohttpd)", self->name);
}

const cli_command cli_serve = {.name = "serve", .run = run};
