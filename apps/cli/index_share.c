/*
 * index_share.c: one list of folders, tar files and captions, put into one index by several processes. Each claims an
 * argument (claims.c), does what there is to do for it, and leaves a mark that it is done; in the end it waits for
 * those that others have, and takes over what one leaves that dies.
 *
 * A mark counts for who began before it was made. Who came later finds what it stands for in the index, which it has
 * read since; and so does a later run, for which files may have changed.
 */
#include "index.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* An argument. */
typedef struct piece {
    char *path, *lock, *mark; /* absolute; of its files in the folder */
    bool captions, settled;
} piece;

/* Makes an empty file, and gives the time that the folder's file system has; false after a message. */
static bool make_file(const char *path, int64_t *time)
{
    struct stat info;
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    const bool ok = fd >= 0 && write(fd, "\n", 1) == 1 && fstat(fd, &info) == 0;
    if (!ok)
        cli_fail("%s: cannot write: %s", path, strerror(errno));
    else if (time)
        *time = cli_time_modified(&info);
    if (fd >= 0)
        close(fd);
    return ok;
}

bool index_share_open(index_share *share, const char *folder)
{
    char host[256] = "";
    share->folder = folder;
    if (!cli_make_folder(folder))
        return false;
    gethostname(host, sizeof host - 1);
    char *path = cli_format("%s/%s.%ld.start", folder, host, (long)getpid());
    const bool ok = make_file(path, &share->began);
    unlink(path);
    free(path);
    return ok;
}

/* Files are called by a hash of the path: paths have slashes, and may be longer than names. */
static piece make_piece(const index_share *share, const char *argument, bool captions)
{
    uint8_t hash[ALIGN_HASH_SIZE];
    char name[2 * ALIGN_HASH_SIZE + 1];
    piece p = {.path = cli_absolute_path(argument), .captions = captions};
    align_content_hash(p.path, strlen(p.path), hash);
    for (size_t i = 0; i < ALIGN_HASH_SIZE; i++)
        snprintf(name + 2 * i, 3, "%02x", hash[i]);
    p.lock = cli_format("%s/%s.lock", share->folder, name);
    p.mark = cli_format("%s/%s.done", share->folder, name);
    return p;
}

static bool is_marked(const index_share *share, const piece *p)
{
    struct stat info;
    return stat(p->mark, &info) == 0 && cli_time_modified(&info) >= share->began;
}

/* Does what there is to do for a piece. False: it is no use going on. */
static bool do_piece(index_share *share, index_run *run, piece *p)
{
    index_scan scan = {0};
    bool ok;
    if (p->captions) {
        ok = index_texts(run, p->path, &scan.files);
    } else {
        const bool found = index_scan_add(&scan, run, p->path);
        index_scan_finish(&scan, run);
        ok = index_pictures(run, &scan);
        share->complete = share->complete && found && !scan.damaged;
    }
    index_scan_done(&scan);
    if (ok && !cli_interrupted())
        ok = p->settled = make_file(p->mark, NULL);
    return ok;
}

/* Claims a piece and does it, unless another process has it or has done it. */
static bool try_piece(index_share *share, index_run *run, piece *p, bool wait)
{
    cli_claim claim;
    p->settled = is_marked(share, p);
    if (p->settled)
        return true;
    const cli_claim_result result = cli_claim_take(&claim, p->lock, wait);
    if (result != CLI_CLAIM_TAKEN)
        return result == CLI_CLAIM_BUSY;
    p->settled = is_marked(share, p);
    const bool ok = p->settled || do_piece(share, run, p);
    cli_claim_release(&claim);
    return ok;
}

bool index_share_run(index_share *share, index_run *run, const cli_list *places, const cli_list *captions)
{
    const size_t count = places->count + captions->count, first = cli_first_piece(count);
    piece *pieces = cli_alloc(count, sizeof *pieces);
    bool ok = true;
    share->complete = true;
    for (size_t i = 0; i < count; i++)
        pieces[i] = i < places->count ? make_piece(share, places->items[i], false)
                                      : make_piece(share, captions->items[i - places->count], true);
    for (int wait = 0; wait <= 1; wait++)
        for (size_t i = 0; i < count && ok && !cli_interrupted(); i++) {
            piece *p = &pieces[(first + i) % count];
            ok = p->settled || try_piece(share, run, p, wait == 1);
        }
    for (size_t i = 0; i < count; i++) {
        free(pieces[i].path);
        free(pieces[i].lock);
        free(pieces[i].mark);
    }
    free(pieces);
    return ok;
}
