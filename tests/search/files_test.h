/* files_test.h: what the tests of the files of SQLite indexes share. */
#ifndef FILES_TEST_H
#define FILES_TEST_H
#include "search/search_test.h"

#include <sqlite3.h>
#include <sys/stat.h>

static char path[64];

/* A name for an index in a folder of its own. */
static inline const char *fresh_path(void)
{
    static int number;
    snprintf(path, sizeof path, "%s/%d", folder, number++);
    assert_int_equal(mkdir(path, 0755), 0);
    snprintf(path + strlen(path), sizeof path - strlen(path), "/photos.db");
    return path;
}

static inline const char *beside(const char *suffix)
{
    static char name[96];
    snprintf(name, sizeof name, "%s%s", path, suffix);
    return name;
}

static inline align_status try_open(const char *where, bool create, bool read_only, align_error *err)
{
    align_index_options options = ALIGN_INDEX_OPTIONS_INIT;
    align_index *index;
    options.model = create ? MODEL : NULL;
    options.width = create ? WIDTH : 0;
    options.create = create;
    options.read_only = read_only;
    const align_status status = align_index_open(&index, where, &options, err);
    align_index_close(index);
    return status;
}

static inline void write_text(const char *where, const char *text)
{
    assert_done(al_file_write(where, text, strlen(text), &err));
}

static inline void change(const char *where, const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(where, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

/* An index of count items at a fresh path. */
static inline void make_index(size_t count)
{
    align_index *index = open_index(fresh_path(), true);
    if (count)
        add_many(index, 1, count);
    align_index_close(index);
}

static inline void assert_holds(size_t count)
{
    align_index *index = open_index(path, false);
    align_hits hits;
    align_query_options options = ALIGN_QUERY_OPTIONS_INIT;
    float query[WIDTH];
    options.top = 1000000;
    make_vector(1, query);
    assert_int_equal(info_of(index).images, count);
    assert_done(align_index_query(index, query, 1, &options, &hits, &err));
    assert_int_equal(hits.offsets[1], count);
    align_hits_done(&hits);
    align_index_close(index);
}
#endif
