/*
 * index_catalog.c: what the index holds, in memory: a few hundred bytes an item. So a file that has not changed costs
 * no question to the store, and that its content is known, under whatever name, is found before it is decoded.
 */
#include "index.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- names ---- */

static size_t hash_name(const char *path, const char *member)
{
    uint64_t hash = UINT64_C(0xCBF29CE484222325); /* FNV-1a */
    for (; *path; path++)
        hash = (hash ^ (unsigned char)*path) * UINT64_C(0x100000001B3);
    hash *= UINT64_C(0x100000001B3);
    for (; *member; member++)
        hash = (hash ^ (unsigned char)*member) * UINT64_C(0x100000001B3);
    return (size_t)hash;
}

/* Where the entry of that name has its number, or belongs. */
static size_t *name_slot(const index_catalog *c, size_t *table, size_t size, const char *path, const char *member)
{
    size_t at = hash_name(path, member) & (size - 1);
    for (; table[at]; at = (at + 1) & (size - 1)) {
        const index_entry *e = &c->entries[table[at] - 1];
        if (strcmp(e->path, path) == 0 && strcmp(e->member, member) == 0)
            break;
    }
    return &table[at];
}

static void grow_names(index_catalog *c)
{
    const size_t size = c->names_size ? 2 * c->names_size : 1024;
    size_t *table = cli_alloc(size, sizeof *table);
    for (size_t i = 0; i < c->count; i++)
        *name_slot(c, table, size, c->entries[i].path, c->entries[i].member) = i + 1;
    free(c->names);
    c->names = table;
    c->names_size = size;
}

static const char *keep_string(index_catalog *c, const char *text)
{
    if (*text == '\0')
        return "";
    if (c->count > 0 && strcmp(c->entries[c->count - 1].path, text) == 0) /* members of one file follow each other */
        return c->entries[c->count - 1].path;
    cli_strings_add(&c->strings, cli_format("%s", text));
    return c->strings.items[c->strings.count - 1];
}

size_t index_catalog_find(const index_catalog *c, const char *path, const char *member)
{
    const size_t *slot = c->names_size ? name_slot(c, c->names, c->names_size, path, member) : NULL;
    return slot && *slot ? *slot - 1 : INDEX_NONE;
}

size_t index_catalog_entry(index_catalog *c, const char *path, const char *member, align_item_kind kind)
{
    const size_t found = index_catalog_find(c, path, member);
    if (found != INDEX_NONE)
        return found;
    if (c->count == c->capacity) {
        c->capacity = c->capacity ? 2 * c->capacity : 256;
        c->entries = cli_realloc(c->entries, c->capacity, sizeof *c->entries);
    }
    if (2 * (c->count + 1) > c->names_size)
        grow_names(c);
    index_entry *e = &c->entries[c->count];
    *e = (index_entry){.path = keep_string(c, path), .kind = kind, .heir = INDEX_NONE};
    e->member = keep_string(c, member);
    *name_slot(c, c->names, c->names_size, path, member) = ++c->count;
    return c->count - 1;
}

/* ---- contents ---- */

static bool is_known(const uint8_t hash[ALIGN_HASH_SIZE])
{
    static const uint8_t unknown[ALIGN_HASH_SIZE];
    return memcmp(hash, unknown, ALIGN_HASH_SIZE) != 0;
}

static size_t first_slot(const uint8_t hash[ALIGN_HASH_SIZE], size_t size)
{
    uint64_t bits;
    memcpy(&bits, hash, sizeof bits);
    return (size_t)bits & (size - 1);
}

static void put_content(size_t *table, size_t size, const uint8_t hash[ALIGN_HASH_SIZE], size_t entry)
{
    size_t at = first_slot(hash, size);
    while (table[at])
        at = (at + 1) & (size - 1);
    table[at] = entry + 1;
}

/* Entries whose content has changed since they were put in drop out here. */
static void grow_contents(index_catalog *c)
{
    size_t size = 1024;
    while (size < 4 * c->count)
        size *= 2;
    size_t *table = cli_alloc(size, sizeof *table);
    c->n_contents = 0;
    for (size_t i = 0; i < c->count; i++)
        if (is_known(c->entries[i].hash)) {
            put_content(table, size, c->entries[i].hash, i);
            c->n_contents++;
        }
    free(c->contents);
    c->contents = table;
    c->contents_size = size;
}

static void add_content(index_catalog *c, size_t entry, const uint8_t hash[ALIGN_HASH_SIZE])
{
    memcpy(c->entries[entry].hash, hash, ALIGN_HASH_SIZE);
    if (2 * (c->n_contents + 1) > c->contents_size) {
        grow_contents(c); /* with this one */
        return;
    }
    put_content(c->contents, c->contents_size, hash, entry);
    c->n_contents++;
}

static size_t find_content(const index_catalog *c, const uint8_t hash[ALIGN_HASH_SIZE], align_item_kind kind)
{
    if (c->contents_size == 0)
        return INDEX_NONE;
    for (size_t at = first_slot(hash, c->contents_size); c->contents[at]; at = (at + 1) & (c->contents_size - 1)) {
        const index_entry *e = &c->entries[c->contents[at] - 1];
        if (e->kind == kind && memcmp(e->hash, hash, ALIGN_HASH_SIZE) == 0)
            return c->contents[at] - 1;
    }
    return INDEX_NONE;
}

size_t index_catalog_claim(index_catalog *c, size_t entry, const uint8_t hash[ALIGN_HASH_SIZE])
{
    size_t same = entry;
    pthread_mutex_lock(&c->mutex);
    if (!c->entries[entry].stored || memcmp(c->entries[entry].hash, hash, ALIGN_HASH_SIZE) != 0) {
        same = find_content(c, hash, c->entries[entry].kind);
        add_content(c, entry, hash);
    }
    pthread_mutex_unlock(&c->mutex);
    return same;
}

void index_catalog_disclaim(index_catalog *c, size_t entry)
{
    pthread_mutex_lock(&c->mutex);
    memset(c->entries[entry].hash, 0, ALIGN_HASH_SIZE);
    pthread_mutex_unlock(&c->mutex);
}

/* ---- the whole ---- */

bool index_catalog_open(index_catalog *c, align_index *index)
{
    align_cursor *cursor = NULL;
    align_item item;
    align_error err = ALIGN_ERROR_INIT;
    bool found = true;
    align_status status = align_cursor_open(&cursor, index, NULL, ALIGN_ORDER_PATH, &err);
    while (status == ALIGN_OK && found) {
        status = align_cursor_next(cursor, &item, NULL, &found, &err);
        if (status != ALIGN_OK || !found)
            continue;
        const size_t number = index_catalog_entry(c, item.path, item.member, item.kind);
        c->entries[number].size = item.size;
        c->entries[number].modified = item.modified;
        c->entries[number].stored = true;
        if (is_known(item.hash))
            add_content(c, number, item.hash);
    }
    align_cursor_close(cursor);
    if (status != ALIGN_OK)
        cli_fail("%s", err.message);
    return status == ALIGN_OK;
}

void index_catalog_done(index_catalog *c)
{
    pthread_mutex_destroy(&c->mutex);
    free(c->entries);
    free(c->names);
    free(c->contents);
    cli_strings_done(&c->strings);
}

void index_catalog_bequeath(index_catalog *c, size_t entry, size_t heir)
{
    pthread_mutex_lock(&c->mutex);
    memset(c->entries[entry].hash, 0, ALIGN_HASH_SIZE);
    c->entries[entry].stored = false;
    c->entries[entry].heir = heir;
    pthread_mutex_unlock(&c->mutex);
}

bool index_is_under(const char *path, const char *folder)
{
    const size_t length = strlen(folder);
    return strncmp(path, folder, length) == 0 &&
           (path[length] == '\0' || path[length] == '/' || (length > 0 && folder[length - 1] == '/'));
}

bool index_is_gone(const char *path)
{
    struct stat info;
    return lstat(path, &info) != 0 && (errno == ENOENT || errno == ENOTDIR);
}
