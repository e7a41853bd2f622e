#ifndef ALIGN_CLI_EMBED_H
#define ALIGN_CLI_EMBED_H
/*
 * embed.h: what the files of `align embed` share. Of shards of pictures, tar files, each becomes a few files in a
 * folder; any number of processes may work on one list of shards, and know of each other by that folder alone.
 *
 *   embed.c           the command; what is embedded at once
 *   embed_bulk.c      shards: whose turn it is, and the run over all of them
 *   embed_pipeline.c  pictures of shards to vectors: reading and decoding ahead, the tower in batches
 *   embed_output.c    the files of a shard
 *   embed_manifest.c  the folder: what was made how, and what is done
 *   embed_parquet.c   a table in Parquet's format
 */
#include "cli.h"

/* How vectors are made and written. */
typedef struct embed_options {
    cli_common common;
    cli_decoding decoding;
    const char *output; /* a file, or the folder for shards */
    align_dtype dtype;
    bool parquet;
} embed_options;

/* ---- embed_parquet.c ---- */

/* A row of the table. */
typedef struct embed_row {
    const char *key, *member, *text; /* UTF-8; text "": none */
    int32_t width, height;
    const float *vector;
} embed_row;

/* Writes rows with vectors of so many numbers; the stream keeps what went wrong. Rows are asked for several times. */
typedef embed_row embed_row_at(void *context, size_t i); /* its strings are valid until the next call */
void embed_put_parquet(FILE *out, size_t rows, size_t width, embed_row_at *row_at, void *context);

/* ---- embed_output.c ---- */

/* A picture whose vector is known. */
typedef struct embed_picture {
    size_t number; /* in the shard */
    int64_t width, height;
} embed_picture;

/* What came of a shard. */
typedef struct embed_result {
    const align_dataset *tar;
    size_t width, rows;
    embed_picture *pictures; /* [rows] */
    float *vectors;          /* [rows, width], of unit length */
} embed_result;

/* Writes NumPy's format, version 1.0. values as dtype has them; F32 or F16. */
void embed_put_npy(FILE *out, align_dtype dtype, size_t rows, size_t width, const void *values);

/* Writes the files of a shard, NAME.jsonl and so on, the .npy last, and its record before that, to which rows and sizes
 * are added. False after a message. */
bool embed_write_shard(const embed_options *options, const char *name, const embed_result *result, json_t *record);

/* ---- embed_manifest.c ---- */

/* A tar file of the list. */
typedef enum embed_state {
    EMBED_OPEN, /* to be done, as far as is known */
    EMBED_HELD, /* this process has claimed it */
    EMBED_DONE, /* its files are there */
    EMBED_FAILED
} embed_state;

typedef struct embed_shard {
    char *path, *name; /* as it was named; what its files are called, without their endings */
    embed_state state;
    int64_t size, modified; /* when it was claimed */
} embed_shard;

/* The folder of the output. Begins zeroed. */
typedef struct embed_manifest {
    const embed_options *options;
    char *path;
    json_t *settings;  /* what all vectors have in common */
    json_t *shards;    /* records by name, as read */
    json_t *news;      /* those that the file may lack */
    cli_strings names; /* of files in the folder, sorted, when it was last listed */
} embed_manifest;

/* Makes the folder and its manifest, or reads that which is there and compares. False after a message. */
bool embed_manifest_open(embed_manifest *manifest, const embed_options *options, const cli_session *session);
void embed_manifest_done(embed_manifest *manifest);

bool embed_manifest_list(embed_manifest *manifest); /* looks at the folder again; false after a message */
bool embed_manifest_has(const embed_manifest *manifest, const char *name, const char *ending); /* by that look */

/* The path of a shard's file, to be freed. */
char *embed_path(const embed_options *options, const char *name, const char *ending);

typedef enum embed_finding {
    EMBED_MISSING, /* to be made */
    EMBED_THERE,   /* made from the shard as it is now */
    EMBED_FOREIGN  /* made from another one: after a message */
} embed_finding;

/* Of whom the vectors are that are there, for a shard whose size and time are known. */
embed_finding embed_manifest_find(embed_manifest *manifest, const embed_shard *shard, bool *damaged);

/* The beginning of a shard's record: what of, and how it is made. */
json_t *embed_manifest_new_record(const embed_manifest *manifest, const embed_shard *shard);

/* Notes a shard that is done, with its record. */
void embed_manifest_add(embed_manifest *manifest, const char *name, const json_t *record);

/* Sees to it that the manifest tells of all that is done. False after a message. */
bool embed_manifest_merge(embed_manifest *manifest);

/* ---- embed_pipeline.c ---- */

/* A shard that is being worked on. */
typedef struct embed_work {
    embed_shard *shard;
    cli_claim claim;
    align_dataset *tar;
    size_t count, given, taken; /* pictures */
    embed_result result;
    json_t *unreadable; /* messages */
    size_t n_unreadable;
    char *failure;  /* why nothing can come of it, or NULL */
    bool abandoned; /* the run ended before */
    struct embed_work *next;
} embed_work;

/* Claims and opens the next shard; NULL: there is none that nobody else has. */
typedef embed_work *embed_next(void *context);

/* Takes a work back that is done, has failed or was abandoned. False: it is no use going on. */
typedef bool embed_finish(void *context, embed_work *work);

/* Embeds all pictures of all shards that there are. False after a message. */
bool embed_pipeline(cli_session *session, const embed_options *options, embed_next *next, embed_finish *finish,
                    void *context);

/* ---- embed_bulk.c ---- */

/* Embeds shards, named by files and folders. An exit code. */
int embed_bulk(const cli_command *self, const embed_options *options, const cli_list *places);
#endif
