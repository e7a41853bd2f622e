/* validate.c: see validate.h. */
#include "train/validate.h"

#include "base/least.h"
#include "base/memory.h"
#include "base/status.h"
#include "train/loader.h"

#include <string.h>

#define PICTURES 32 /* embedded at once, by each rank */
#define TEXTS    64 /* likewise */

struct al_validator {
    const align_dataset *dataset;
    const align_processor *processor;
    al_validator_options options;
    al_loader *loader;
    size_t n_pictures, n_texts;
    size_t *picture_of;     /* [n_texts] */
    const char **texts;     /* [n_texts], the data set's */
    bool *read;             /* [n_pictures] */
    float *pictures, *rows; /* embeddings: of pictures, of texts */
    float *mine;            /* [PICTURES or TEXTS]: those of a step that are this rank's */
};

static int rank_of(const al_validator *v)
{
    return v->options.ranks ? v->options.ranks->rank : 0;
}

static int ranks_of(const al_validator *v)
{
    return v->options.ranks ? v->options.ranks->size : 1;
}

/* ---- making ---- */

static align_status list_texts(al_validator *v, align_error *err)
{
    v->n_pictures = align_dataset_count(v->dataset);
    for (size_t i = 0; i < v->n_pictures; i++)
        v->n_texts += align_dataset_texts(v->dataset, i);
    v->picture_of = al_calloc(v->n_texts, sizeof *v->picture_of);
    v->texts = al_calloc(v->n_texts, sizeof *v->texts);
    v->read = al_calloc(v->n_pictures, sizeof *v->read);
    if (!v->picture_of || !v->texts || !v->read)
        return al_error_no_memory(err, v->n_texts * sizeof *v->texts);
    size_t t = 0;
    for (size_t i = 0; i < v->n_pictures; i++)
        for (size_t k = 0; k < align_dataset_texts(v->dataset, i); k++) {
            v->picture_of[t] = i;
            v->texts[t++] = align_dataset_text(v->dataset, i, k);
        }
    return ALIGN_OK;
}

align_status al_validator_new(al_validator **out, const align_dataset *dataset, const align_processor *processor,
                              const al_validator_options *options, align_error *err)
{
    align_status status = ALIGN_OK;
    al_loader_options pictures = AL_LOADER_OPTIONS_INIT;
    *out = NULL;
    al_validator *v = al_calloc(1, sizeof *v);
    if (!v)
        return al_error_no_memory(err, sizeof *v);
    v->dataset = dataset;
    v->processor = processor;
    v->options = *options;
    TRY(list_texts(v, err));
    pictures.rank = rank_of(v);
    pictures.ranks = ranks_of(v);
    pictures.batch = al_least(v->n_pictures, PICTURES * (size_t)pictures.ranks);
    pictures.shuffle = false;
    pictures.drop_last = false;
    pictures.threads = options->loader_threads;
    pictures.max_length = options->max_length;
    TRY(al_loader_new(&v->loader, dataset, processor, &pictures, err));
    al_loader_pause(v->loader);
    *out = v;
    v = NULL;
done:
    al_validator_free(v);
    return status;
}

size_t al_validator_memory(const al_validator *v)
{
    return al_loader_memory(v->loader);
}

void al_validator_free(al_validator *v)
{
    if (!v)
        return;
    al_loader_free(v->loader);
    al_free(v->picture_of);
    al_free(v->texts);
    al_free(v->read);
    al_free(v);
}

/* ---- embedding ---- */

/* This rank's rows of a step, made to be of unit length. */
static void keep_rows(al_validator *v, const align_tensor *features)
{
    const size_t n = (size_t)features->shape[0], width = (size_t)features->shape[1];
    memcpy(v->mine, features->data, n * width * sizeof *v->mine);
    align_normalize(v->mine, n, width);
}

/* all = what everyone has of a step, in order of rank. */
static void gather(const al_validator *v, const void *mine, size_t bytes, void *all)
{
    const al_collective *ranks = v->options.ranks;
    if (ranks)
        ranks->gather(ranks->user, mine, bytes, all);
    else
        memcpy(all, mine, bytes);
}

/* read: of this rank's pictures, whether they could be; another one stands in for one that could not. */
static align_status embed_some_pictures(al_validator *v, align_context *context, size_t begin, al_loader_batch *batch,
                                        bool *read, align_error *err)
{
    align_status status = ALIGN_OK;
    align_inputs inputs = ALIGN_INPUTS_INIT;
    align_tensor features;
    TRY(al_loader_next(v->loader, batch, err));
    if (batch->count == 0)
        goto done;
    const int64_t shape[] = {(int64_t)batch->count, 3, batch->height, batch->width};
    inputs.pixel_values = align_tensor_view(ALIGN_F32, 4, shape, batch->pixel_values);
    TRY(align_model_get_image_features(context, &inputs, &features, err));
    keep_rows(v, &features);
    for (size_t i = 0; i < batch->count; i++)
        read[i] = batch->pairs[i] == begin + batch->first + i;
done:
    return status;
}

static align_status embed_pictures(al_validator *v, align_context *context, size_t width, align_error *err)
{
    align_status status = ALIGN_OK;
    al_loader_batch batch;
    bool read[PICTURES];
    al_loader_seek(v->loader, 0);
    for (size_t begin = 0; begin < v->n_pictures; begin += batch.total) {
        TRY(al_agree(v->options.ranks, embed_some_pictures(v, context, begin, &batch, read, err), err));
        gather(v, v->mine, batch.count * width * sizeof *v->mine, v->pictures + begin * width);
        gather(v, read, batch.count * sizeof *read, v->read + begin);
    }
done:
    al_loader_pause(v->loader); /* or it would go on with another round of the same pictures */
    return status;
}

static align_status embed_some_texts(al_validator *v, align_context *context, size_t first, size_t count,
                                     align_error *err)
{
    align_status status = ALIGN_OK;
    align_encoding encoding = {0};
    align_encode_options options = ALIGN_ENCODE_OPTIONS_INIT;
    align_inputs inputs = ALIGN_INPUTS_INIT;
    align_tensor features;
    if (count == 0)
        return ALIGN_OK;
    options.truncation = ALIGN_TRUNCATE_LONGEST_FIRST;
    options.max_length = v->options.max_length;
    TRY(align_tokenizer_encode(align_processor_tokenizer(v->processor), v->texts + first, NULL, count, &options,
                               &encoding, err));
    const int64_t shape[] = {(int64_t)encoding.rows, encoding.length};
    inputs.input_ids = align_tensor_view(ALIGN_I64, 2, shape, encoding.input_ids);
    inputs.attention_mask = align_tensor_view(ALIGN_I64, 2, shape, encoding.attention_mask);
    TRY(align_model_get_text_features(context, &inputs, &features, err));
    keep_rows(v, &features);
done:
    align_encoding_done(&encoding);
    return status;
}

static align_status embed_texts(al_validator *v, align_context *context, size_t width, align_error *err)
{
    align_status status = ALIGN_OK;
    const int rank = rank_of(v), ranks = ranks_of(v);
    const size_t most = TEXTS * (size_t)ranks;
    for (size_t begin = 0; begin < v->n_texts; begin += most) {
        const size_t total = al_least(v->n_texts - begin, most);
        const size_t first = al_share_begin(total, rank, ranks), end = al_share_begin(total, rank + 1, ranks);
        TRY(al_agree(v->options.ranks, embed_some_texts(v, context, begin + first, end - first, err), err));
        gather(v, v->mine, (end - first) * width * sizeof *v->mine, v->rows + begin * width);
    }
done:
    return status;
}

/* ---- what could be read ---- */

/* Moves what belongs to pictures that were read together; picture_of is for the pictures that are left. */
static align_status leave_out_unread(const al_validator *v, size_t width, al_retrieval *r, size_t **picture_of,
                                     align_error *err)
{
    size_t *number = al_calloc(v->n_pictures, sizeof *number);
    size_t *kept = al_calloc(v->n_texts, sizeof *kept);
    if (!number || !kept) {
        al_free(number);
        al_free(kept);
        return al_error_no_memory(err, v->n_texts * sizeof *kept);
    }
    *r = (al_retrieval){.width = width, .texts = v->rows, .pictures = v->pictures, .picture_of = kept};
    for (size_t i = 0; i < v->n_pictures; i++) {
        number[i] = r->n_pictures;
        if (v->read[i])
            memmove(v->pictures + width * r->n_pictures++, v->pictures + width * i, width * sizeof(float));
    }
    for (size_t t = 0; t < v->n_texts; t++)
        if (v->read[v->picture_of[t]]) {
            memmove(v->rows + width * r->n_texts, v->rows + width * t, width * sizeof(float));
            kept[r->n_texts++] = number[v->picture_of[t]];
        }
    al_free(number);
    *picture_of = kept;
    return ALIGN_OK;
}

/* ---- a validation ---- */

static align_status begin(al_validator *v, align_context **context, const align_model *model, size_t width,
                          align_error *err)
{
    const align_context_options options = {v->options.threads, 0};
    const size_t some = PICTURES > TEXTS ? PICTURES : TEXTS;
    v->pictures = al_calloc(v->n_pictures, width * sizeof *v->pictures);
    v->rows = al_calloc(v->n_texts, width * sizeof *v->rows);
    v->mine = al_calloc(some, width * sizeof *v->mine);
    if (!v->pictures || !v->rows || !v->mine)
        return al_error_no_memory(err, (v->n_texts + v->n_pictures + some) * width * sizeof(float));
    return align_context_new(context, model, &options, err);
}

static align_status compare(al_validator *v, size_t width, align_recall *out, align_error *err)
{
    align_status status = ALIGN_OK;
    al_threads *threads = NULL;
    al_retrieval retrieval;
    size_t *picture_of = NULL;
    TRY(leave_out_unread(v, width, &retrieval, &picture_of, err));
    TRY(al_threads_new(&threads, v->options.threads, err));
    TRY(al_recall(out, &retrieval, threads, err));
done:
    al_threads_free(threads);
    al_free(picture_of);
    return status;
}

align_status al_validator_run(al_validator *v, const align_model *model, align_recall *out, align_error *err)
{
    align_status status = ALIGN_OK;
    const size_t width = (size_t)align_model_config(model)->projection_dim;
    align_context *context = NULL;
    TRY(al_agree(v->options.ranks, begin(v, &context, model, width, err), err));
    TRY(embed_pictures(v, context, width, err));
    TRY(embed_texts(v, context, width, err));
    align_context_free(context);
    context = NULL;
    if (rank_of(v) == 0)
        TRY(compare(v, width, out, err));
done:
    align_context_free(context);
    al_free(v->pictures);
    al_free(v->rows);
    al_free(v->mine);
    v->pictures = v->rows = v->mine = NULL;
    return status;
}
