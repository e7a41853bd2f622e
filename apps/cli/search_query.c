/*
 * search_query.c: the vector to look for: the sum of the embeddings of texts and pictures, each times its weight, less
 * those of what is not wanted. A picture that is in the index as it is on disk has its vector there already; only for
 * others, and for texts, the model is loaded.
 */
#include "search.h"
#include <stdlib.h>
#include <string.h>

typedef struct parts {
    size_t width, n_images, count;
    float *vectors;  /* [count, width]: pictures, texts, what is not wanted */
    double *weights; /* [count] */
    bool *known;     /* [n_images]: the index has its vector */
} parts;

static bool is_same_file(const align_item *item, const struct stat *info)
{
    return item->kind == ALIGN_ITEM_IMAGE && item->size == (int64_t)info->st_size &&
           item->modified == cli_time_modified(info);
}

/* *found: the index has the file as it is now, and out its vector. False after a message. */
static bool find_stored(const cli_store *store, const char *path, float *out, bool *found)
{
    struct stat info;
    align_item item;
    align_error err = ALIGN_ERROR_INIT;
    *found = false;
    if (strcmp(path, "-") == 0 || stat(path, &info) != 0)
        return true; /* whoever opens it says why not */
    char *absolute = cli_absolute_path(path);
    align_status status = align_index_find(store->index, absolute, NULL, &item, found, &err);
    *found = status == ALIGN_OK && *found && is_same_file(&item, &info);
    if (*found)
        status = align_index_vector(store->index, item.id, out, &err);
    free(absolute);
    if (status != ALIGN_OK)
        cli_fail("%s", err.message);
    return status == ALIGN_OK;
}

static bool embed_pictures(const parts *p, cli_session *session, const cli_common *common, const cli_strings *pictures,
                           const cli_decoding *decoding)
{
    cli_strings unknown = {0}; /* borrows from pictures */
    for (size_t i = 0; i < p->n_images; i++)
        if (!p->known[i])
            cli_strings_add(&unknown, pictures->items[i]);
    bool ok = true;
    cli_reader *reader = cli_reader_open(session, common, &unknown, decoding);
    for (size_t i = 0; i < p->n_images && ok; i++)
        if (!p->known[i])
            ok = cli_embed_next(session, reader, p->vectors + i * p->width);
    cli_reader_close(reader);
    free(unknown.items);
    return ok;
}

static bool embed_texts(const parts *p, cli_session *session, const cli_common *common, const cli_query *query)
{
    cli_list texts = {0};
    for (size_t i = 0; i < query->texts.count; i++)
        cli_list_add(&texts, query->texts.items[i]);
    for (size_t i = 0; i < query->minus.count; i++)
        cli_list_add(&texts, query->minus.items[i]);
    float *vectors = cli_embed_texts(session, common, texts.items, texts.count);
    if (vectors)
        memcpy(p->vectors + p->n_images * p->width, vectors, texts.count * p->width * sizeof *vectors);
    bool ok = vectors != NULL;
    free(vectors);
    cli_list_done(&texts);
    return ok;
}

static bool embed(const parts *p, const cli_query *query, const cli_common *common, const cli_store *store,
                  const cli_strings *pictures)
{
    cli_session session = {0};
    bool texts = p->count > p->n_images, images = false, ok = true;
    for (size_t i = 0; i < p->n_images && ok; i++) {
        ok = find_stored(store, pictures->items[i], p->vectors + i * p->width, &p->known[i]);
        images = images || !p->known[i];
    }
    if (ok && (texts || images))
        ok = cli_session_open(&session, common, texts, images) && cli_store_check_model(store, &session) &&
             (!images || embed_pictures(p, &session, common, pictures, &query->decoding)) &&
             (!texts || embed_texts(p, &session, common, query));
    cli_session_done(&session);
    return ok;
}

static void set_weights(const parts *p, const cli_query *query)
{
    for (size_t i = 0; i < p->count; i++)
        p->weights[i] = i < p->n_images                        ? query->image_weight
                        : i < p->n_images + query->texts.count ? query->text_weight
                                                               : -query->text_weight;
}

float *cli_query_vector(const cli_query *query, const cli_common *common, const cli_store *store)
{
    align_index_info info;
    align_error err = ALIGN_ERROR_INIT;
    cli_strings pictures = {0};
    if (align_index_get_info(store->index, &info, &err) != ALIGN_OK) {
        cli_fail("%s", err.message);
        return NULL;
    }
    float *sum = NULL;
    if (cli_pictures_expand(&pictures, &query->images)) {
        parts p = {.width = (size_t)info.width, .n_images = pictures.count};
        p.count = p.n_images + query->texts.count + query->minus.count;
        p.vectors = cli_alloc(p.count, p.width * sizeof *p.vectors);
        p.weights = cli_alloc(p.count, sizeof *p.weights);
        p.known = cli_alloc(p.n_images, sizeof *p.known);
        set_weights(&p, query);
        sum = cli_alloc(p.width, sizeof *sum);
        bool ok = embed(&p, query, common, store, &pictures);
        if (ok && align_compose(sum, p.vectors, p.weights, p.count, p.width, &err) != ALIGN_OK)
            ok = cli_fail("%s", err.message) == CLI_DONE;
        if (!ok) {
            free(sum);
            sum = NULL;
        }
        free(p.known);
        free(p.weights);
        free(p.vectors);
    }
    cli_strings_done(&pictures);
    return sum;
}
