/* file.c: mapped reads and atomic writes over POSIX calls. */
#include "base/file.h"

#include "base/folder.h"
#include "base/memory.h"
#include "base/status.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define WRITER_BUFFER (256 * 1024)

static align_status system_error(align_error *err, const char *what, const char *path)
{
    const int number = errno;
    return al_error_set(err, number == ENOENT ? ALIGN_ERROR_NOT_FOUND : ALIGN_ERROR_IO, "%s: %s: %s", path, what,
                        strerror(number));
}

/* ---- reading ---- */

static align_status open_regular(int *fd, size_t *size, const char *path, align_error *err)
{
    struct stat st;
    *fd = open(path, O_RDONLY | O_CLOEXEC);
    if (*fd < 0)
        return system_error(err, "cannot open", path);
    if (fstat(*fd, &st) != 0) {
        const align_status status = system_error(err, "cannot stat", path);
        close(*fd);
        return status;
    }
    if (!S_ISREG(st.st_mode)) {
        close(*fd);
        return al_error_set(err, ALIGN_ERROR_IO, "%s: not a regular file", path);
    }
    *size = (size_t)st.st_size;
    return ALIGN_OK;
}

align_status al_map_open(al_map *out, const char *path, align_error *err)
{
    *out = (al_map){NULL, 0};
    int fd;
    size_t size;
    const align_status status = open_regular(&fd, &size, path, err);
    if (status != ALIGN_OK)
        return status;
    if (size == 0) {
        close(fd);
        out->data = (const uint8_t *)"";
        return ALIGN_OK;
    }
    void *data = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (data == MAP_FAILED) {
        const align_status failed = system_error(err, "cannot map", path);
        close(fd);
        return failed;
    }
    close(fd);
    out->data = data;
    out->size = size;
    return ALIGN_OK;
}

void al_map_close(al_map *map)
{
    if (map->size)
        munmap((void *)(uintptr_t)map->data, map->size);
    *map = (al_map){NULL, 0};
}

void al_map_release(const al_map *map, size_t offset, size_t size)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), begin = (offset + page - 1) / page * page;
    const size_t end = (offset + size) / page * page;
    if (begin < end)
        (void)madvise((void *)(uintptr_t)(map->data + begin), end - begin, MADV_DONTNEED);
}

/* Exactly size bytes from offset on. */
static align_status read_all(int fd, void *buffer, size_t offset, size_t size, const char *path, align_error *err)
{
    size_t done = 0;
    while (done < size) {
        const ssize_t n = pread(fd, (char *)buffer + done, size - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return system_error(err, "cannot read", path);
        if (n == 0)
            return al_error_set(err, ALIGN_ERROR_IO, "%s: ended after %zu of %zu bytes", path, done, size);
        done += (size_t)n;
    }
    return ALIGN_OK;
}

/* One byte more than asked for is there, and zero, so that text has its end. */
static align_status read_part(char **bytes, size_t *read, const char *path, size_t offset, size_t size, size_t limit,
                              align_error *err)
{
    align_status status = ALIGN_OK;
    int fd = -1;
    size_t total;
    char *buffer = NULL;
    *bytes = NULL;
    status = open_regular(&fd, &total, path, err);
    if (status != ALIGN_OK)
        return status;
    if (offset > total || (size != AL_FILE_REST && size > total - offset))
        FAIL(err, ALIGN_ERROR_FORMAT, "%s: %zu bytes, too few to hold %zu from %zu on", path, total,
             size == AL_FILE_REST ? 0 : size, offset);
    if (size == AL_FILE_REST)
        size = total - offset;
    if (size > limit)
        FAIL(err, ALIGN_ERROR_FORMAT, "%s: %zu bytes, more than the limit of %zu", path, size, limit);
    buffer = al_alloc(size + 1);
    if (!buffer) {
        status = al_error_no_memory(err, size + 1);
        goto done;
    }
    TRY(read_all(fd, buffer, offset, size, path, err));
    buffer[size] = '\0';
    *bytes = buffer;
    *read = size;
    buffer = NULL;
done:
    al_free(buffer);
    close(fd);
    return status;
}

align_status al_file_read_part(uint8_t **bytes, size_t *read, const char *path, size_t offset, size_t size,
                               size_t limit, align_error *err)
{
    return read_part((char **)bytes, read, path, offset, size, limit, err);
}

align_status al_file_read(char **text, size_t *size, const char *path, size_t limit, align_error *err)
{
    return read_part(text, size, path, 0, AL_FILE_REST, limit, err);
}

/* ---- writing ---- */

struct al_writer {
    int fd;
    char *path, *temporary;
    size_t used;
    char buffer[WRITER_BUFFER];
};

static atomic_uint writer_number;

align_status al_writer_open(al_writer **out, const char *path, align_error *err)
{
    *out = NULL;
    al_writer *w = al_alloc(sizeof *w);
    if (!w)
        return al_error_no_memory(err, sizeof *w);
    w->fd = -1;
    w->used = 0;
    w->path = al_strdup(path);
    w->temporary = al_format("%s.%ld-%u.tmp", path, (long)getpid(), atomic_fetch_add(&writer_number, 1));
    if (!w->path || !w->temporary) {
        al_writer_abort(w);
        return al_error_no_memory(err, strlen(path));
    }
    w->fd = open(w->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (w->fd < 0) {
        const align_status status = system_error(err, "cannot write", path);
        al_free(w->temporary); /* not ours to remove */
        w->temporary = NULL;
        al_writer_abort(w);
        return status;
    }
    *out = w;
    return ALIGN_OK;
}

char *al_folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? al_strndup(path, (size_t)(slash - path) + 1) : al_strdup(".");
}

/* Whether a name is <file>.<pid>-<n>.tmp, of a process that is no more; file NULL: any. */
static bool is_left_over(const char *name, const char *file)
{
    const size_t n = strlen(name);
    long process = 0;
    unsigned number;
    int end = 0;
    if (n < 4 || strcmp(name + n - 4, ".tmp") != 0)
        return false;
    size_t start = n - 4;
    while (start > 0 && strchr("0123456789-", name[start - 1]))
        start--;
    if (start == 0 || name[start - 1] != '.' || sscanf(name + start, "%ld-%u.tmp%n", &process, &number, &end) != 2 ||
        (size_t)end != n - start || process <= 0)
        return false;
    if (file && (strlen(file) != start - 1 || strncmp(name, file, start - 1) != 0))
        return false;
    return kill((pid_t)process, 0) != 0 && errno == ESRCH;
}

void al_writer_clean(const char *path)
{
    al_folder_names names = {0};
    const char *slash = strrchr(path, '/');
    const bool all = al_is_folder(path);
    char *folder = all ? al_strdup(path) : al_folder_of(path);
    const char *file = all ? NULL : slash ? slash + 1 : path;
    if (folder && al_folder_names_read(&names, folder, NULL) == ALIGN_OK)
        for (size_t i = 0; i < names.count; i++) {
            char *left_over = is_left_over(names.names[i], file) ? al_join_path(folder, names.names[i]) : NULL;
            if (left_over)
                (void)unlink(left_over);
            al_free(left_over);
        }
    al_folder_names_done(&names);
    al_free(folder);
}

static align_status write_all(al_writer *w, const char *bytes, size_t size, align_error *err)
{
    while (size > 0) {
        const ssize_t n = write(w->fd, bytes, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return system_error(err, "cannot write", w->path);
        bytes += n;
        size -= (size_t)n;
    }
    return ALIGN_OK;
}

static align_status flush(al_writer *w, align_error *err)
{
    const size_t used = w->used;
    w->used = 0;
    return write_all(w, w->buffer, used, err);
}

align_status al_writer_write(al_writer *w, const void *bytes, size_t size, align_error *err)
{
    if (size >= WRITER_BUFFER - w->used) {
        const align_status status = flush(w, err);
        if (status != ALIGN_OK)
            return status;
        if (size >= WRITER_BUFFER)
            return write_all(w, bytes, size, err);
    }
    if (size)
        memcpy(w->buffer + w->used, bytes, size);
    w->used += size;
    return ALIGN_OK;
}

void al_sync_folder_of(const char *path)
{
    char *folder = al_folder_of(path);
    if (!folder)
        return;
    const int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd);
        close(fd);
    }
    al_free(folder);
}

align_status al_writer_commit(al_writer *w, align_error *err)
{
    align_status status = ALIGN_OK;
    TRY(flush(w, err));
    if (fsync(w->fd) != 0 && errno != EINVAL) { /* EINVAL: a pipe or a special file */
        status = system_error(err, "cannot write", w->path);
        goto done;
    }
    const int fd = w->fd;
    w->fd = -1;
    if (close(fd) != 0) {
        status = system_error(err, "cannot write", w->path);
        goto done;
    }
    if (rename(w->temporary, w->path) != 0) {
        status = system_error(err, "cannot rename into place", w->path);
        goto done;
    }
    al_sync_folder_of(w->path);
    al_free(w->temporary);
    w->temporary = NULL;
done:
    al_writer_abort(w);
    return status;
}

void al_writer_abort(al_writer *w)
{
    if (!w)
        return;
    if (w->fd >= 0)
        close(w->fd);
    if (w->temporary)
        (void)unlink(w->temporary);
    al_free(w->temporary);
    al_free(w->path);
    al_free(w);
}

align_status al_file_write(const char *path, const void *bytes, size_t size, align_error *err)
{
    al_writer *w;
    align_status status = al_writer_open(&w, path, err);
    if (status != ALIGN_OK)
        return status;
    status = al_writer_write(w, bytes, size, err);
    if (status != ALIGN_OK) {
        al_writer_abort(w);
        return status;
    }
    return al_writer_commit(w, err);
}

/* ---- folders ---- */

bool al_is_file(const char *path)
{
    size_t bytes;
    return al_file_size(path, &bytes);
}

bool al_file_size(const char *path, size_t *bytes)
{
    struct stat st;
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode))
        return false;
    *bytes = (size_t)st.st_size;
    return true;
}

bool al_is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

align_status al_make_folder(const char *path, align_error *err)
{
    align_status status = ALIGN_OK;
    char *copy = al_strdup(path);
    if (!copy)
        return al_error_no_memory(err, strlen(path));
    for (char *p = copy + 1; *copy; p++) {
        const char c = *p;
        if (c != '/' && c != '\0')
            continue;
        *p = '\0';
        const int reason = mkdir(copy, 0777) == 0 ? 0 : errno;
        if (reason && !al_is_folder(copy)) {
            errno = reason;
            status = system_error(err, "cannot make folder", copy);
            break;
        }
        *p = c;
        if (c == '\0')
            break;
    }
    al_free(copy);
    return status;
}

char *al_join_path(const char *folder, const char *name)
{
    const size_t n = strlen(folder);
    return al_format("%s%s%s", folder, n && folder[n - 1] != '/' ? "/" : "", name);
}
