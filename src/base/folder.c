/* folder.c: see folder.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* renameat2 */
#endif
#include "base/folder.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/status.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static align_status system_error(align_error *err, const char *what, const char *path)
{
    const int number = errno;
    return al_error_set(err, ALIGN_ERROR_IO, "%s: %s: %s", path, what, strerror(number));
}

/* ---- listing ---- */

static align_status add_name(al_folder_names *names, const char *name, align_error *err)
{
    if (names->count == names->capacity) {
        const size_t capacity = names->capacity ? 2 * names->capacity : 16;
        char **grown = al_realloc(names->names, capacity * sizeof *grown);
        if (!grown)
            return al_error_no_memory(err, capacity * sizeof *grown);
        names->names = grown;
        names->capacity = capacity;
    }
    names->names[names->count] = al_strdup(name);
    if (!names->names[names->count])
        return al_error_no_memory(err, strlen(name));
    names->count++;
    return ALIGN_OK;
}

align_status al_folder_names_read(al_folder_names *out, const char *path, align_error *err)
{
    align_status status = ALIGN_OK;
    *out = (al_folder_names){0};
    DIR *folder = opendir(path);
    if (!folder)
        return errno == ENOENT ? ALIGN_OK : system_error(err, "cannot list", path);
    const struct dirent *entry;
    while ((errno = 0, entry = readdir(folder)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            TRY(add_name(out, entry->d_name, err));
    if (errno != 0)
        status = system_error(err, "cannot list", path);
done:
    closedir(folder);
    if (status != ALIGN_OK)
        al_folder_names_done(out);
    return status;
}

void al_folder_names_done(al_folder_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        al_free(names->names[i]);
    al_free(names->names);
    *names = (al_folder_names){0};
}

/* ---- removing ---- */

static align_status remove_entry(const char *folder, const char *name, align_error *err)
{
    align_status status = ALIGN_OK;
    struct stat info;
    char *path = al_join_path(folder, name);
    if (!path)
        return al_error_no_memory(err, strlen(folder));
    if (lstat(path, &info) == 0 && S_ISDIR(info.st_mode))
        TRY(al_folder_remove(path, err));
    else if (unlink(path) != 0 && errno != ENOENT)
        status = system_error(err, "cannot remove", path);
done:
    al_free(path);
    return status;
}

align_status al_folder_remove(const char *path, align_error *err)
{
    align_status status = ALIGN_OK;
    al_folder_names inside;
    TRY(al_folder_names_read(&inside, path, err));
    for (size_t i = 0; i < inside.count; i++)
        TRY(remove_entry(path, inside.names[i], err));
    if (rmdir(path) != 0 && errno != ENOENT)
        status = system_error(err, "cannot remove", path);
done:
    al_folder_names_done(&inside);
    return status;
}

/* ---- replacing ---- */

/* Both folders change places in one step, where the system can; false: they did not. */
static bool exchange(const char *a, const char *b)
{
#ifdef RENAME_EXCHANGE
    return renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE) == 0;
#else
    (void)a;
    (void)b;
    return false;
#endif
}

static char *name_aside(const char *temporary)
{
    return al_format("%s.old", temporary);
}

/* Where folders cannot change places, the old one is out of its place for a moment. */
static align_status exchange_by_turns(const char *temporary, const char *path, align_error *err)
{
    align_status status = ALIGN_OK;
    char *aside = name_aside(temporary);
    if (!aside)
        return al_error_no_memory(err, strlen(temporary));
    if (rename(path, aside) != 0 || rename(temporary, path) != 0 || rename(aside, temporary) != 0)
        status = system_error(err, "cannot rename into place", path);
    al_free(aside);
    return status;
}

align_status al_folder_replace(const char *temporary, const char *path, align_error *err)
{
    align_status status = ALIGN_OK;
    if (rename(temporary, path) != 0) { /* over a folder that is not empty it cannot */
        if (!al_is_folder(path)) {
            status = system_error(err, "cannot rename into place", path);
            goto done;
        }
        if (!exchange(temporary, path))
            TRY(exchange_by_turns(temporary, path, err));
        TRY(al_folder_remove(temporary, err));
    }
    al_sync_folder_of(path);
done:
    return status;
}

align_status al_folder_settle(const char *temporary, const char *path, align_error *err)
{
    align_status status = ALIGN_OK;
    char *aside = name_aside(temporary);
    if (!aside)
        return al_error_no_memory(err, strlen(temporary));
    if (!al_is_folder(path) && al_is_folder(aside) && rename(aside, path) != 0) {
        status = system_error(err, "cannot rename into place", aside);
        goto done;
    }
    TRY(al_folder_remove(temporary, err));
    TRY(al_folder_remove(aside, err));
done:
    al_free(aside);
    return status;
}

/* ---- locking ---- */

align_status al_folder_lock(int *lock, const char *path, align_error *err)
{
    align_status status = ALIGN_OK;
    char *name = al_join_path(path, ".lock");
    *lock = -1;
    if (!name)
        return al_error_no_memory(err, strlen(path));
    const int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0) {
        status = system_error(err, "cannot write", name);
        goto done;
    }
    *lock = fd;
    if (flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        al_folder_unlock(fd);
        *lock = -1;
        FAIL(err, ALIGN_ERROR_MISMATCH, "%s: another process is writing into this folder", path);
    }
done:
    al_free(name);
    return status;
}

void al_folder_unlock(int lock)
{
    if (lock >= 0)
        close(lock);
}
