#ifndef AL_DATASET_H
#define AL_DATASET_H
/*
 * dataset.h: what an align_dataset is made of, and how the readers of files make one.
 *
 *     dataset.c      opening (which format is it?), asking, splitting
 *     builder.c      pairs as they come in
 *     read_table.c   TSV, CSV
 *     read_json.c    JSON lines, COCO, Karpathy
 *     read_shards.c  webdataset; tar.c its tar files, shards.c their names
 *     read_folder.c  pictures with .txt beside them
 *
 * Millions of pairs have to fit: all strings stand in one block of memory, and pairs have their places in it.
 */
#include "base/file.h"
#include "checkpoint/buffer.h"
#include "train/skips.h"

#include <stdatomic.h>

/* A picture: bytes of a file. */
typedef struct al_place {
    size_t file, name;   /* strings: the file's path; what messages call the picture */
    size_t offset, size; /* in the file; size AL_FILE_REST: to its end */
} al_place;

typedef struct al_strings {
    atomic_size_t users;
    char *data; /* one behind the other, each with its NUL */
} al_strings;

struct align_dataset {
    al_strings *strings;
    size_t count;
    al_place *places;   /* [count] */
    size_t *first_text; /* [count + 1]; the texts of pair i are texts[first_text[i]] up to that of i + 1 */
    size_t *texts;      /* strings */
    al_skips skips;
    al_skips damages; /* tar files that were not read to their end */
};

/* One with room for so many pairs and texts, not filled; it is a user of the strings more. */
align_status al_dataset_new(align_dataset **out, al_strings *strings, size_t count, size_t texts, align_error *err);

/* The encoded picture, freed with al_free. */
align_status al_dataset_read(const align_dataset *dataset, size_t i, uint8_t **bytes, size_t *size, align_error *err);

/* ---- building ---- */

/* Where in a data file something stands, for messages: "pairs.tsv, line 7"; unit NULL: the file alone. */
typedef struct al_source {
    const char *file, *unit;
    size_t number;
} al_source;

typedef struct al_new_pair {
    al_place place;
    size_t texts;
    bool explained; /* why it has no texts, if it has none */
} al_new_pair;

typedef struct al_new_text {
    size_t pair, string;
} al_new_text;

typedef struct al_builder {
    const align_dataset_options *options;
    const char *folder; /* that relative paths begin in */
    al_buffer strings;
    al_new_pair *pairs;
    size_t n_pairs, pairs_capacity;
    al_new_text *texts;
    size_t n_texts, texts_capacity;
    size_t *table; /* pairs by path: a hash table of numbers from 1; 0: free */
    size_t table_size;
    al_skips skips, damages;
} al_builder;

void al_builder_init(al_builder *builder, const align_dataset_options *options, const char *folder);
void al_builder_done(al_builder *builder);

/* The pair of a picture file, new or met before. */
align_status al_builder_file(al_builder *builder, const char *path, size_t *pair, align_error *err);

/* A string that several places share. */
align_status al_builder_string(al_builder *builder, const char *text, size_t *string, align_error *err);

/* A new pair: a part of a file whose path is a string already, called "FILE: MEMBER". */
align_status al_builder_part(al_builder *builder, size_t file, const char *member, size_t offset, size_t size,
                             size_t *pair, align_error *err);

/* Says a text of a pair. One that is blank or not UTF-8 is skipped. */
align_status al_builder_text(al_builder *builder, size_t pair, const al_source *source, const char *text, size_t size,
                             align_error *err);

/* Notes that something was left out. */
align_status al_builder_skip(al_builder *builder, const al_source *source, align_error *err, const char *reason, ...)
    __attribute__((format(printf, 4, 5)));

/* The same, of a pair that gets no text for it. */
align_status al_builder_explain(al_builder *builder, size_t pair, const al_source *source, const char *reason,
                                align_error *err);

/* Leaves out pairs without texts; FORMAT when fewer than two are left. path is the data's name in messages. */
align_status al_builder_finish(al_builder *builder, const char *path, align_dataset **out, align_error *err);

/* ---- readers ---- */

typedef align_status al_reader(al_builder *builder, const char *path, align_error *err);
al_reader al_read_tsv, al_read_csv, al_read_json_lines, al_read_captions, al_read_shards, al_read_folder;

/* The usual names of what holds pictures and texts, the likeliest first; NULL ends them. */
extern const char *const al_picture_names[], *const al_text_names[];

/* Whether a file's name says that it is a picture. */
bool al_is_picture_name(const char *name);

/* The texts of a pair from the JSON that lies beside its picture in a shard. */
align_status al_read_caption_json(al_builder *builder, size_t pair, const al_source *source, const char *json,
                                  size_t size, align_error *err);

/* Paths of shards: braces and wildcards expanded, or what a folder holds; each freed with al_free, and the array. */
typedef struct al_paths {
    char **items;
    size_t count, capacity;
} al_paths;
align_status al_paths_add(al_paths *paths, char *path,
                          align_error *err); /* takes path; NULL is memory that was missing */
void al_paths_done(al_paths *paths);
bool al_is_pattern(const char *path);
align_status al_shards_find(al_paths *out, const char *pattern, align_error *err);
align_status al_folder_list(al_paths *out, const char *folder,
                            align_error *err); /* names, sorted; none that are hidden */
#endif
