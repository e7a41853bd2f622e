/*
 * claims.c: work that several processes share without talking to each other: whoever has the lock on a piece's file
 * works on it. The system lets go of the lock when a process ends, whichever way.
 *
 * Locks are POSIX locks, which network file systems have between machines, too. The file is removed with its lock, so
 * that none are left in the end; who then gets a lock on a file that is there no more, or is another one by now, has
 * locked nothing and tries again.
 */
#include "cli.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Of the locked file, whether it still is the one at its path. */
static bool is_current(const cli_claim *claim)
{
    struct stat locked, there;
    return fstat(claim->fd, &locked) == 0 && stat(claim->path, &there) == 0 && locked.st_dev == there.st_dev &&
           locked.st_ino == there.st_ino;
}

static cli_claim_result fail(const char *path, const char *what)
{
    cli_fail("%s: %s: %s%s", path, what, strerror(errno),
             errno == ENOLCK || errno == ENOSYS || errno == EOPNOTSUPP
                 ? " (the folder's file system needs POSIX locks; Lustre has them where it is mounted with -o flock)"
                 : "");
    return CLI_CLAIM_FAILED;
}

/* Opens and locks whatever file is at the path. */
static cli_claim_result lock_file(cli_claim *claim, bool wait)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    claim->fd = open(claim->path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (claim->fd < 0)
        return fail(claim->path, "cannot open");
    if (fcntl(claim->fd, wait ? F_SETLKW : F_SETLK, &lock) == 0)
        return CLI_CLAIM_TAKEN;
    const bool busy = errno == EAGAIN || errno == EACCES || errno == EINTR;
    const cli_claim_result result = busy ? CLI_CLAIM_BUSY : fail(claim->path, "cannot lock");
    close(claim->fd);
    return result;
}

cli_claim_result cli_claim_take(cli_claim *claim, const char *path, bool wait)
{
    claim->path = cli_format("%s", path);
    for (;;) {
        const cli_claim_result result = lock_file(claim, wait);
        if (result == CLI_CLAIM_TAKEN && is_current(claim))
            return result;
        if (result != CLI_CLAIM_TAKEN) {
            free(claim->path);
            *claim = (cli_claim){0};
            return result;
        }
        close(claim->fd);
    }
}

void cli_claim_release(cli_claim *claim)
{
    if (!claim->path)
        return;
    unlink(claim->path);
    close(claim->fd);
    free(claim->path);
    *claim = (cli_claim){0};
}

/* ---- which of them this process is ---- */

static bool read_number(const char *variable, size_t *out)
{
    const char *text = getenv(variable);
    char *end;
    if (!text || *text < '0' || *text > '9')
        return false;
    *out = (size_t)strtoul(text, &end, 10);
    return *end == '\0';
}

bool cli_rank_find(size_t *rank, size_t *ranks)
{
    static const char *const variables[][2] = {
        {"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"}, /* Open MPI */
        {"PMI_RANK", "PMI_SIZE"},                         /* MPICH, Intel MPI */
        {"SLURM_PROCID", "SLURM_NTASKS"},                 /* srun */
    };
    for (size_t i = 0; i < CLI_COUNT(variables); i++)
        if (read_number(variables[i][0], rank) && read_number(variables[i][1], ranks) && *rank < *ranks)
            return true;
    *rank = 0;
    *ranks = 1;
    return false;
}

/* Ranks have a stretch of the pieces each; others, who know of nobody, begin anywhere. */
size_t cli_first_piece(size_t pieces)
{
    size_t rank, ranks;
    char host[256] = "";
    uint64_t place = UINT64_C(14695981039346656037); /* FNV-1a of the machine's name and the process */
    if (cli_rank_find(&rank, &ranks) && ranks > 1)
        return (size_t)((double)rank / (double)ranks * (double)pieces);
    gethostname(host, sizeof host - 1);
    for (const char *c = host; *c; c++)
        place = (place ^ (unsigned char)*c) * UINT64_C(1099511628211);
    place = (place ^ (uint64_t)getpid()) * UINT64_C(1099511628211);
    return pieces ? (size_t)(place >> 16) % pieces : 0;
}
