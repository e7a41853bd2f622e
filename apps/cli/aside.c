/*
 * aside.c: files that are written under another name, beside their place, and renamed when they are whole and on disk.
 */
#include "cli.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

FILE *cli_aside_open(cli_aside *aside, const char *path)
{
    aside->path = cli_format("%s", path);
    aside->temporary = cli_format("%s.tmp", path);
    aside->file = fopen(aside->temporary, "wb");
    if (!aside->file)
        cli_fail("%s: cannot write: %s", path, strerror(errno));
    return aside->file;
}

/* Not every file can be synced: EINVAL is that of one that is none on a disk. */
static bool put_on_disk(FILE *file)
{
    return fflush(file) == 0 && (fsync(fileno(file)) == 0 || errno == EINVAL);
}

void cli_aside_drop(cli_aside *aside)
{
    if (aside->file) {
        fclose(aside->file);
        unlink(aside->temporary);
    }
    free(aside->temporary);
    free(aside->path);
    *aside = (cli_aside){0};
}

bool cli_aside_close(cli_aside *aside, int64_t *size)
{
    bool ok = aside->file != NULL;
    if (ok) {
        ok = !ferror(aside->file) && put_on_disk(aside->file);
        if (ok && size)
            *size = ftell(aside->file);
        ok = ok && rename(aside->temporary, aside->path) == 0;
        if (!ok)
            cli_fail("%s: cannot write: %s", aside->path, strerror(errno));
    }
    if (ok) { /* all is on disk: closing has nothing left to write */
        fclose(aside->file);
        aside->file = NULL;
    }
    cli_aside_drop(aside);
    return ok;
}
