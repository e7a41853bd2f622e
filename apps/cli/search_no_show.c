/*
 * search_no_show.c: a build without libchafa shows no pictures in the terminal, and says so.
 */
#include "search.h"

bool cli_screen_open(cli_screen **screen, const cli_common *common, const char *format)
{
    (void)common;
    (void)format;
    *screen = NULL;
    return cli_fail("--show: built without pictures in the terminal (libchafa)") == CLI_DONE;
}

void cli_screen_draw(cli_screen *screen, const align_image *image)
{
    (void)screen;
    (void)image;
}

void cli_screen_close(cli_screen *screen)
{
    (void)screen;
}
