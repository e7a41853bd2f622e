#ifndef AL_FOLDER_H
#define AL_FOLDER_H
/*
 * folder.h: folders that are written whole or not at all, and what is in one.
 */
#include <align/error.h>
#include <stddef.h>

/* Names in a folder, without . and .., in no order. One that does not exist has none. */
typedef struct al_folder_names {
    size_t count, capacity;
    char **names;
} al_folder_names;
align_status al_folder_names_read(al_folder_names *out, const char *path, align_error *err);
void al_folder_names_done(al_folder_names *names);

/* Removes a folder and all that is in it; one that does not exist is fine. Links are removed, not followed. */
align_status al_folder_remove(const char *path, align_error *err);

/*
 * Renames a folder over another, which is removed if there is one. Where the system can let two folders change places,
 * there is a whole one under `path` at every moment.
 */
align_status al_folder_replace(const char *temporary, const char *path, align_error *err);

/* Puts in order what a process left that was killed while it wrote `temporary` or renamed it. */
align_status al_folder_settle(const char *temporary, const char *path, align_error *err);

/*
 * Takes a folder for this process, by the file .lock in it. *lock is for al_folder_unlock; a process that ends, however
 * it does, holds it no longer. MISMATCH where another one has it. Where files cannot be locked, nobody is kept out.
 */
align_status al_folder_lock(int *lock, const char *path, align_error *err);
void al_folder_unlock(int lock); /* -1 is fine */
#endif
