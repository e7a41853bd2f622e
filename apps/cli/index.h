#ifndef ALIGN_CLI_INDEX_H
#define ALIGN_CLI_INDEX_H
/*
 * index.h: what the files of `align index` share. From folders to the index:
 *
 *   index.c           the command
 *   index_admin.c     its sub-commands: status, remove, vacuum
 *   index_catalog.c   what the index holds, in memory: what is unchanged, and whose content is known
 *   index_scan.c      what there is to look at: files, members of tar files
 *   index_pictures.c  pictures to vectors: reading and decoding ahead, the tower in batches
 *   index_texts.c     captions to vectors
 *   index_write.c     changes to the index, made by a thread of their own
 *   index_share.c     work shared with other processes
 *   index_report.c    what happened
 *   index_watch.c     folders that change
 */
#include "cli.h"
#include <pthread.h>

/* ---- index_catalog.c ---- */

#define INDEX_NONE SIZE_MAX

/* An item that is in the index or may get there. Entries are numbered as they come and stay. */
typedef struct index_entry {
    const char *path, *member;
    align_item_kind kind;
    int64_t size, modified; /* when it was indexed */
    uint8_t hash[ALIGN_HASH_SIZE];
    bool stored; /* it is in the index, or is about to be */
    bool seen;   /* it is there, too: in this round */
    size_t heir; /* the entry that its vector went to when its file was moved; INDEX_NONE */
} index_entry;

typedef struct index_catalog {
    index_entry *entries;
    size_t count, capacity;
    size_t *names, names_size;                   /* entries by path and member: hash tables of numbers from 1 */
    size_t *contents, contents_size, n_contents; /* entries by content; some have another by now */
    cli_strings strings;
    pthread_mutex_t mutex; /* for contents, once threads claim them */
} index_catalog;

/* clang-format off */
#define INDEX_CATALOG_INIT { .mutex = PTHREAD_MUTEX_INITIALIZER }
/* clang-format on */

/* Reads all that the index holds into a new catalog; false after a message. */
bool index_catalog_open(index_catalog *catalog, align_index *index);
void index_catalog_done(index_catalog *catalog);

/* The entry of that name, new if need be: not while others claim contents. */
size_t index_catalog_entry(index_catalog *catalog, const char *path, const char *member, align_item_kind kind);

/* The entry of that name, or INDEX_NONE. */
size_t index_catalog_find(const index_catalog *catalog, const char *path, const char *member);

/* Says what an entry's content is. Gives an entry that is known to have the same, perhaps this very one, or INDEX_NONE:
 * then it is this entry's to find the vector. From any thread. */
size_t index_catalog_claim(index_catalog *catalog, size_t entry, const uint8_t hash[ALIGN_HASH_SIZE]);

/* Takes that back: the entry has no vector for it. */
void index_catalog_disclaim(index_catalog *catalog, size_t entry);

/* Its item is another entry's now, or INDEX_NONE: nobody's. */
void index_catalog_bequeath(index_catalog *catalog, size_t entry, size_t heir);

/* Whether path is the folder (or file), or in it. */
bool index_is_under(const char *path, const char *folder);

/* Whether there is no such file any more; false where that cannot be known. */
bool index_is_gone(const char *path);

/* ---- index_report.c ---- */

typedef enum index_event {
    INDEX_ADDED,   /* new */
    INDEX_CHANGED, /* of new content */
    INDEX_MOVED,   /* under another name before */
    INDEX_TOUCHED, /* of the same content */
    INDEX_REMOVED,
    INDEX_EVENTS
} index_event;

/* What happened since the last summary. From any thread. */
typedef struct index_report {
    const cli_common *common;
    size_t events[INDEX_EVENTS], unchanged;
    cli_strings problems; /* messages */
    cli_progress progress;
    pthread_mutex_t mutex;
} index_report;

void index_report_open(index_report *report, const cli_common *common);
void index_report_done(index_report *report);

/* With --json, prints a line. from: the path before it was moved, or NULL. */
void index_report_event(index_report *report, index_event event, const align_item *item, const char *from);

/* Notes what could not be read, for the end. Takes message over. */
void index_report_problem(index_report *report, char *message);

/* Says what happened, and begins again. */
void index_report_summary(index_report *report, align_index *index);

/* ---- index_write.c ---- */

typedef enum index_action {
    INDEX_ADD,    /* with a vector */
    INDEX_COPY,   /* with the vector of another item */
    INDEX_RENAME, /* an item becomes this one, or stays what it is: all but its vector is new */
    INDEX_REMOVE
} index_action;

typedef struct index_change {
    index_action action;
    size_t entry, from; /* from: the other item, or the one renamed */
    align_item item;    /* path and member of the catalog; text NULL: a renamed item keeps its own */
    char *text;         /* what item.text is, owned */
    bool was_there;     /* before the change, an item had its name */
} index_change;

typedef struct index_writer index_writer;

/* Starts a writer, whose index nobody else may use between the first change and a flush. */
index_writer *index_writer_open(align_index *index, const index_catalog *catalog, size_t width, index_report *report);

/* Makes a change soon. vector [width] of INDEX_ADD, else NULL. Takes the change's text over. */
void index_writer_put(index_writer *writer, const index_change *change, const float *vector);

/* Makes all changes now. False when one has failed, which has been said. */
bool index_writer_flush(index_writer *writer);
bool index_writer_failed(index_writer *writer);
void index_writer_close(index_writer *writer);

/* ---- index_scan.c ---- */

/* A picture to look at: a file, or a member of one. */
typedef struct index_source {
    size_t entry;
    int64_t offset, size, modified; /* offset -1: the whole file */
    char *text;                     /* what is said about it, or NULL */
} index_source;

/* All that is to be looked at in a round. Begins zeroed. */
typedef struct index_scan {
    index_source *sources;
    size_t count, capacity;
    cli_walk walk;
    cli_strings files; /* files of many items that were read whole: what is not seen there is gone */
    bool damaged;      /* one was not read whole */
} index_scan;

typedef struct index_run index_run;

/* Adds a file, a folder or a tar file by its absolute path. False: there is no such thing, which has been said. */
bool index_scan_add(index_scan *scan, index_run *run, const char *path);
void index_scan_finish(index_scan *scan, index_run *run); /* behind the last */
void index_scan_done(index_scan *scan);

/* ---- the rest ---- */

/* What a run of `align index` has open. */
struct index_run {
    cli_common common;
    cli_decoding decoding;
    cli_session session;
    cli_store store;
    index_catalog catalog;
    index_report report;
    index_writer *writer;
};

/* The vectors of all pictures of the scan, into the index. False after a message. */
bool index_pictures(index_run *run, const index_scan *scan);

/* Those of a file of captions. */
bool index_texts(index_run *run, const char *path, cli_strings *files);

/* Removes the item of an entry. */
void index_remove(index_run *run, size_t entry);

/* Removes items that are gone: in or under one of the places, or in one of the files but not seen there. */
void index_prune(index_run *run, const cli_strings *places, const cli_strings *files);

/* Looks at the folders until a signal comes; scan: what was looked at last. An exit code. */
int index_watch(index_run *run, const cli_strings *places, const index_scan *scan);

/* ---- index_share.c ---- */

/* Several processes that fill one index, by way of a folder. */
typedef struct index_share {
    const char *folder;
    int64_t began; /* by the clock of the folder */
    bool complete; /* what this process did was all there */
} index_share;

bool index_share_open(index_share *share, const char *folder); /* before the index is read; false after a message */

/* Indexes those of the arguments that are this process's. False after a message. */
bool index_share_run(index_share *share, index_run *run, const cli_list *places, const cli_list *captions);

/* The sub-command of that name, or NULL. */
const cli_command *index_admin_command(const char *name);
#endif
