#ifndef AL_FILE_H
#define AL_FILE_H
/*
 * file.h: reading whole files, mapping them, and writing them so that nobody ever sees half of one.
 */
#include <align/error.h>
#include <stdbool.h>
#include <stdint.h>

/* A file mapped for reading. size 0 has data "". */
typedef struct al_map {
    const uint8_t *data;
    size_t size;
} al_map;

/* NOT_FOUND when there is no such file, IO otherwise; only regular files are mapped. */
align_status al_map_open(al_map *out, const char *path, align_error *err);
void al_map_close(al_map *map); /* zeroed maps are fine */

/* Takes the pages of size bytes at offset out of the process's memory: they come back from the file when touched. */
void al_map_release(const al_map *map, size_t offset, size_t size);

/* A whole file as text: *text is NUL-terminated (size excludes it) and freed with al_free. Limit in bytes: FORMAT when
 * the file is larger. */
align_status al_file_read(char **text, size_t *size, const char *path, size_t limit, align_error *err);

/* size bytes of a file from offset on, or with AL_FILE_REST all that follow; *bytes is freed with al_free. More than
 * limit, or less than asked for, is FORMAT. Unlike a map, a disk that fails is an error here and not a signal. */
#define AL_FILE_REST SIZE_MAX
align_status al_file_read_part(uint8_t **bytes, size_t *read, const char *path, size_t offset, size_t size,
                               size_t limit, align_error *err);

/*
 * A file being written: bytes go to "<path>.<pid>-<n>.tmp" in the same folder; commit flushes, syncs and renames it
 * over path; abort removes it. After either, the handle is closed. Writes are buffered; short writes and EINTR are
 * handled.
 */
typedef struct al_writer al_writer;
align_status al_writer_open(al_writer **out, const char *path, align_error *err);
align_status al_writer_write(al_writer *writer, const void *bytes, size_t size, align_error *err);
align_status al_writer_commit(al_writer *writer, align_error *err); /* frees the writer in any case */
void al_writer_abort(al_writer *writer);                            /* NULL is fine */

/* Removes what processes that are no more left of a file they were writing at path or, if that is a folder, of any file
 * in it. What cannot be removed stays. */
void al_writer_clean(const char *path);

/* The whole of the above for bytes at hand. */
align_status al_file_write(const char *path, const void *bytes, size_t size, align_error *err);

bool al_is_file(const char *path);
bool al_file_size(const char *path, size_t *bytes); /* of a regular file; false: there is none */
bool al_is_folder(const char *path);

/* A rename is on disk for good only when the folder is in which it happened: sees to that. Not every file system can; a
 * failure is no loss. */
void al_sync_folder_of(const char *path);

/* Makes a folder and its parents; one that exists is fine. */
align_status al_make_folder(const char *path, align_error *err);

/* The folder that a file is in, "." where its path names none, freed with al_free; NULL without memory. */
char *al_folder_of(const char *path);

/* "folder/name", freed with al_free; NULL without memory. */
char *al_join_path(const char *folder, const char *name);
#endif
