/* index.c: the public half of an index: what comes from outside is checked here, and handed to a store. */
#include "base/memory.h"
#include "base/status.h"
#include "base/utf8.h"
#include "search/store.h"

#include <math.h>
#include <string.h>
#include <xxhash.h>

#define MOST_WIDTH   16000
#define MOST_MODEL   255
#define MOST_QUERIES ((size_t)1 << 24)

struct align_index {
    al_store *store;
};

/* ---- what comes from outside ---- */

static align_status check_vector(const float *vector, int64_t width, double *length, align_error *err)
{
    double sum = 0;
    for (int64_t i = 0; i < width; i++)
        sum += (double)vector[i] * (double)vector[i];
    *length = sqrt(sum);
    if (!isfinite(sum))
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "a vector with numbers that are not finite");
    if (sum == 0)
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "a vector that is zero, and so has no direction");
    return ALIGN_OK;
}

/* Vectors of unit length, [count, width], freed with al_free; *failed, where one is none, is its number. */
static align_status unit_vectors(float **out, const float *vectors, size_t count, int64_t width, size_t *failed,
                                 align_error *err)
{
    align_status status = ALIGN_OK;
    size_t bytes;
    const bool fits = al_mul(count, (size_t)width * sizeof(float), &bytes);
    float *unit = fits ? al_alloc(bytes) : NULL;
    *failed = count;
    *out = NULL;
    if (!unit)
        return al_error_no_memory(err, fits ? bytes : SIZE_MAX);
    for (size_t i = 0; i < count; i++) {
        const float *from = vectors + i * (size_t)width;
        float *to = unit + i * (size_t)width;
        double length;
        *failed = i;
        TRY(check_vector(from, width, &length, err));
        for (int64_t j = 0; j < width; j++)
            to[j] = (float)((double)from[j] / length);
    }
    *failed = count;
    *out = unit;
    unit = NULL;
done:
    al_free(unit);
    return status;
}

static align_status check_item(const align_item *item, align_error *err)
{
    const char *text = al_text(item->text);
    if (!item->path || !*item->path)
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "an empty path");
    if (item->kind != ALIGN_ITEM_IMAGE && item->kind != ALIGN_ITEM_TEXT)
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "kind %d is none", (int)item->kind);
    if (!al_is_utf8(text, strlen(text)))
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "a text that is not UTF-8");
    return ALIGN_OK;
}

/* Says which item it was. */
static align_status blame(align_status status, const align_item *items, size_t i, align_error *err)
{
    if (status != ALIGN_OK)
        al_error_prefix(err, "item %zu (%s)", i, al_text(items[i].path));
    return status;
}

static align_status check_items(const align_item *items, size_t count, align_error *err)
{
    for (size_t i = 0; i < count; i++) {
        const align_status status = blame(check_item(&items[i], err), items, i, err);
        if (status != ALIGN_OK)
            return status;
    }
    return ALIGN_OK;
}

static align_status check_writable(const align_index *index, align_error *err)
{
    return index->store->read_only
               ? al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "%s: opened for reading only", index->store->where)
               : ALIGN_OK;
}

/* Folders as stores get them, in one piece of memory; freed with al_free. */
static align_status trim_folders(const char ***out, const char *const *folders, size_t count, align_error *err)
{
    size_t bytes = count * sizeof **out;
    for (size_t i = 0; i < count; i++)
        bytes += strlen(folders[i]) + 1;
    const char **trimmed = al_alloc(bytes);
    if (!trimmed)
        return al_error_no_memory(err, bytes);
    char *at = (char *)(trimmed + count);
    for (size_t i = 0; i < count; i++) {
        size_t n = strlen(folders[i]);
        while (n > 0 && folders[i][n - 1] == '/')
            n--;
        memcpy(at, folders[i], n);
        at[n] = '\0';
        trimmed[i] = at;
        at += n + 1;
    }
    *out = trimmed;
    return ALIGN_OK;
}

/* A filter as stores get it; *folders is freed with al_free. */
static align_status check_filter(align_filter *out, const char ***folders, const align_filter *filter, align_error *err)
{
    *out = filter ? *filter : (align_filter)ALIGN_FILTER_INIT;
    *folders = NULL;
    if (out->n_folders == 0)
        return ALIGN_OK;
    if (out->n_folders > ALIGN_MOST_FOLDERS)
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "a filter for %zu folders, expected at most %d",
                            out->n_folders, ALIGN_MOST_FOLDERS);
    for (size_t i = 0; i < out->n_folders; i++)
        if (!*out->folders[i])
            return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "a filter for a folder without a name");
    const align_status status = trim_folders(folders, out->folders, out->n_folders, err);
    out->folders = *folders;
    return status;
}

void align_content_hash(const void *bytes, size_t size, uint8_t hash[ALIGN_HASH_SIZE])
{
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits(bytes, size));
    memcpy(hash, canonical.digest, ALIGN_HASH_SIZE);
}

/* ---- open and close ---- */

static bool is_postgres(const char *where)
{
    return strncmp(where, "postgresql://", 13) == 0 || strncmp(where, "postgres://", 11) == 0;
}

static align_status check_options(const char *where, const align_index_options *options, align_error *err)
{
    if (!*where)
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "an index without a name");
    if (is_postgres(where))
        where = "the index"; /* an address may hold a password */
    if (options->width < 0 || options->width > MOST_WIDTH)
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "%s: width %" PRId64 ", expected 1 to %d", where,
                            options->width, MOST_WIDTH);
    if (options->model && (strlen(options->model) > MOST_MODEL || !al_is_utf8(options->model, strlen(options->model))))
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "%s: the model's name: expected UTF-8, up to %d bytes",
                            where, MOST_MODEL);
    if (options->create && (!options->model || !*options->model || options->width == 0))
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "%s: to make an index, a model and a width are needed",
                            where);
    if ((options->create || options->repair) && options->read_only)
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "%s: to be made or repaired, but read only", where);
    if (options->threads < 0)
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "%s: %d threads", where, options->threads);
    return ALIGN_OK;
}

/* Whether the store has what the options ask for. */
static align_status check_store(const al_store *store, const align_index_options *options, align_error *err)
{
    if (options->model && strcmp(options->model, store->model) != 0)
        return al_error_set(err, ALIGN_ERROR_MISMATCH,
                            "%s: its vectors are of the model \"%s\", not of \"%s\"; those of two models cannot be "
                            "compared (make another index for the other model)",
                            store->where, store->model, options->model);
    if (options->width && options->width != store->width)
        return al_error_set(err, ALIGN_ERROR_MISMATCH,
                            "%s: an index of vectors of %" PRId64 " numbers, not of %" PRId64, store->where,
                            store->width, options->width);
    return ALIGN_OK;
}

align_status align_index_open(align_index **out, const char *where, const align_index_options *options,
                              align_error *err)
{
    align_status status = ALIGN_OK;
    const align_index_options defaults = ALIGN_INDEX_OPTIONS_INIT;
    align_index *index = NULL;
    *out = NULL;
    options = options ? options : &defaults;
    TRY(check_options(where, options, err));
    index = al_calloc(1, sizeof *index);
    if (!index) {
        status = al_error_no_memory(err, sizeof *index);
        goto done;
    }
    TRY((is_postgres(where) ? al_postgres_open : al_sqlite_open)(&index->store, where, options, err));
    TRY(check_store(index->store, options, err));
    *out = index;
    index = NULL;
done:
    align_index_close(index);
    return status;
}

void align_index_close(align_index *index)
{
    if (!index)
        return;
    if (index->store)
        index->store->class->close(index->store);
    al_free(index);
}

align_status align_index_get_info(align_index *index, align_index_info *out, align_error *err)
{
    const al_store *store = index->store;
    *out = (align_index_info){.where = store->where,
                              .store = store->class->name,
                              .model = store->model,
                              .width = store->width,
                              .lost = store->lost};
    return store->class->info(index->store, out, err);
}

/* ---- change it ---- */

align_status align_index_add(align_index *index, const align_item *items, const float *vectors, size_t count,
                             int64_t *ids, align_error *err)
{
    align_status status = ALIGN_OK;
    float *unit = NULL;
    size_t failed;
    TRY(check_writable(index, err));
    if (count == 0)
        goto done;
    TRY(check_items(items, count, err));
    status = unit_vectors(&unit, vectors, count, index->store->width, &failed, err);
    if (status != ALIGN_OK) {
        if (failed < count)
            status = blame(status, items, failed, err);
        goto done;
    }
    TRY(index->store->class->add(index->store, items, unit, count, ids, err));
done:
    al_free(unit);
    return status;
}

align_status align_index_update(align_index *index, const align_item *items, size_t count, align_error *err)
{
    align_status status = ALIGN_OK;
    TRY(check_writable(index, err));
    TRY(check_items(items, count, err));
    if (count > 0)
        TRY(index->store->class->update(index->store, items, count, err));
done:
    return status;
}

align_status align_index_remove(align_index *index, const int64_t *ids, size_t count, size_t *removed, align_error *err)
{
    align_status status = ALIGN_OK;
    size_t n = 0;
    TRY(check_writable(index, err));
    if (count > 0)
        TRY(index->store->class->remove(index->store, ids, count, &n, err));
done:
    if (removed)
        *removed = n;
    return status;
}

align_status align_index_vacuum(align_index *index, align_error *err)
{
    const align_status status = check_writable(index, err);
    return status == ALIGN_OK ? index->store->class->vacuum(index->store, err) : status;
}

/* ---- look things up ---- */

align_status align_index_find(align_index *index, const char *path, const char *member, align_item *out, bool *found,
                              align_error *err)
{
    *out = (align_item)ALIGN_ITEM_INIT;
    *found = false;
    return index->store->class->find(index->store, path, al_text(member), out, found, err);
}

align_status align_index_item(align_index *index, int64_t id, align_item *out, bool *found, align_error *err)
{
    *out = (align_item)ALIGN_ITEM_INIT;
    *found = false;
    return index->store->class->item(index->store, id, out, found, err);
}

align_status align_index_vector(align_index *index, int64_t id, float *out, align_error *err)
{
    return index->store->class->vector(index->store, id, out, err);
}

align_status align_cursor_open(align_cursor **out, align_index *index, const align_filter *filter,
                               align_item_order order, align_error *err)
{
    align_status status = ALIGN_OK;
    align_filter checked;
    const char **folders = NULL;
    *out = NULL;
    if ((int)order < ALIGN_ORDER_ID || order > ALIGN_ORDER_OLDEST)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "order %d is none of items without scores", (int)order);
    TRY(check_filter(&checked, &folders, filter, err));
    TRY(index->store->class->cursor_open(out, index->store, &checked, order, err));
done:
    al_free(folders);
    return status;
}

align_status align_cursor_next(align_cursor *cursor, align_item *out, float *vector, bool *found, align_error *err)
{
    *out = (align_item)ALIGN_ITEM_INIT;
    *found = false;
    return cursor->class->cursor_next(cursor, out, vector, found, err);
}

void align_cursor_close(align_cursor *cursor)
{
    if (cursor)
        cursor->class->cursor_close(cursor);
}

/* ---- search ---- */

static align_status check_query(const align_query_options *options, size_t queries, align_error *err)
{
    if ((int)options->order < ALIGN_ORDER_ID || options->order > ALIGN_ORDER_SCORE)
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "order %d is none", (int)options->order);
    if (options->top < 1 || options->skip < 0 || options->top > INT64_MAX - options->skip)
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT,
                            "top %" PRId64 ", skip %" PRId64 ": expected at least one hit a query", options->top,
                            options->skip);
    if (isnan(options->threshold))
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "a threshold that is no number");
    if (queries > MOST_QUERIES)
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "%zu queries at once, expected at most %zu", queries,
                            MOST_QUERIES);
    return ALIGN_OK;
}

align_status align_index_query(align_index *index, const float *vectors, size_t queries,
                               const align_query_options *options, align_hits *out, align_error *err)
{
    align_status status = ALIGN_OK;
    align_query_options checked = ALIGN_QUERY_OPTIONS_INIT;
    const char **folders = NULL;
    float *unit = NULL;
    size_t failed;
    *out = (align_hits){0};
    if (options)
        checked = *options;
    TRY(check_query(&checked, queries, err));
    TRY(check_filter(&checked.filter, &folders, options ? &options->filter : NULL, err));
    status = unit_vectors(&unit, vectors, queries, index->store->width, &failed, err);
    if (status != ALIGN_OK) {
        if (failed < queries)
            al_error_prefix(err, "query %zu", failed);
        goto done;
    }
    TRY(index->store->class->query(index->store, unit, queries, &checked, out, err));
done:
    al_free(unit);
    al_free(folders);
    return status;
}

align_status align_compose(float *out, const float *vectors, const double *weights, size_t count, size_t width,
                           align_error *err)
{
    align_status status = ALIGN_OK;
    double *sum = NULL, length = 0, most = 0;
    if (width < 1 || width > MOST_WIDTH)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "width %zu, expected 1 to %d", width, MOST_WIDTH);
    sum = al_calloc(width, sizeof *sum);
    if (!sum) {
        status = al_error_no_memory(err, width * sizeof *sum);
        goto done;
    }
    for (size_t i = 0; i < count; i++) {
        const float *vector = vectors + i * width;
        if (!isfinite(weights[i]))
            FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "weight %zu is not finite", i);
        status = check_vector(vector, (int64_t)width, &length, err);
        if (status != ALIGN_OK) {
            al_error_prefix(err, "vector %zu", i);
            goto done;
        }
        most = fmax(most, fabs(weights[i]));
        for (size_t j = 0; j < width; j++)
            sum[j] += weights[i] / length * (double)vector[j];
    }
    length = 0;
    for (size_t j = 0; j < width; j++)
        length += sum[j] * sum[j];
    length = sqrt(length);
    /* Vectors that cancel out leave what was rounded away, which points anywhere. */
    if (!(length > most * 1e-6) || !isfinite(length))
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "the sum of %zu weighted vectors is zero: nothing is asked for", count);
    for (size_t j = 0; j < width; j++)
        out[j] = (float)(sum[j] / length);
done:
    al_free(sum);
    return status;
}
