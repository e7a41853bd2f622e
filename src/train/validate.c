/* validate.c: see validate.h. */
#include "train/validate.h"

#include "base/memory.h"
#include "base/status.h"
#include "train/loader.h"

#include <string.h>

#define PICTURES 32 /* embedded at once */
#define TEXTS    64

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
};

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
    pictures.batch = v->n_pictures < PICTURES ? v->n_pictures : PICTURES;
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

/* Puts the rows of features, made to be of unit length, where they belong. */
static void keep_rows(float *out, const align_tensor *features, const size_t *places, size_t first)
{
    const size_t n = (size_t)features->shape[0], width = (size_t)features->shape[1];
    const float *rows = features->data;
    for (size_t i = 0; i < n; i++) {
        float *to = out + (places ? places[i] : first + i) * width;
        memcpy(to, rows + i * width, width * sizeof *to);
        align_normalize(to, 1, width);
    }
}

static align_status embed_pictures(al_validator *v, align_context *context, align_error *err)
{
    align_status status = ALIGN_OK;
    al_loader_batch batch;
    memset(v->read, 0, v->n_pictures * sizeof *v->read);
    al_loader_seek(v->loader, 0);
    for (uint64_t step = 0; step < al_loader_steps_per_epoch(v->loader); step++) {
        align_inputs inputs = ALIGN_INPUTS_INIT;
        align_tensor features;
        TRY(al_loader_next(v->loader, &batch, err));
        const int64_t shape[] = {(int64_t)batch.count, 3, batch.height, batch.width};
        inputs.pixel_values = align_tensor_view(ALIGN_F32, 4, shape, batch.pixel_values);
        TRY(align_model_get_image_features(context, &inputs, &features, err));
        keep_rows(v->pictures, &features, batch.pairs, 0);
        for (size_t i = 0; i < batch.count; i++)
            v->read[batch.pairs[i]] = true;
    }
done:
    al_loader_pause(v->loader); /* or it would go on with another round of the same pictures */
    return status;
}

static align_status embed_texts(al_validator *v, align_context *context, align_error *err)
{
    align_status status = ALIGN_OK;
    align_encoding encoding = {0};
    align_encode_options options = ALIGN_ENCODE_OPTIONS_INIT;
    options.truncation = ALIGN_TRUNCATE_LONGEST_FIRST;
    options.max_length = v->options.max_length;
    for (size_t i = 0; i < v->n_texts; i += TEXTS) {
        const size_t n = v->n_texts - i < TEXTS ? v->n_texts - i : TEXTS;
        align_inputs inputs = ALIGN_INPUTS_INIT;
        align_tensor features;
        TRY(align_tokenizer_encode(align_processor_tokenizer(v->processor), v->texts + i, NULL, n, &options, &encoding,
                                   err));
        const int64_t shape[] = {(int64_t)encoding.rows, encoding.length};
        inputs.input_ids = align_tensor_view(ALIGN_I64, 2, shape, encoding.input_ids);
        inputs.attention_mask = align_tensor_view(ALIGN_I64, 2, shape, encoding.attention_mask);
        TRY(align_model_get_text_features(context, &inputs, &features, err));
        keep_rows(v->rows, &features, NULL, i);
        align_encoding_done(&encoding);
        encoding = (align_encoding){0};
    }
done:
    align_encoding_done(&encoding);
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

align_status al_validator_run(al_validator *v, const align_model *model, align_recall *out, align_error *err)
{
    align_status status = ALIGN_OK;
    const size_t width = (size_t)align_model_config(model)->projection_dim;
    const align_context_options options = {v->options.threads, 0};
    align_context *context = NULL;
    al_threads *threads = NULL;
    al_retrieval retrieval;
    size_t *picture_of = NULL;
    v->pictures = al_calloc(v->n_pictures, width * sizeof *v->pictures);
    v->rows = al_calloc(v->n_texts, width * sizeof *v->rows);
    if (!v->pictures || !v->rows) {
        status = al_error_no_memory(err, (v->n_texts + v->n_pictures) * width * sizeof(float));
        goto done;
    }
    TRY(align_context_new(&context, model, &options, err));
    TRY(embed_pictures(v, context, err));
    TRY(embed_texts(v, context, err));
    TRY(leave_out_unread(v, width, &retrieval, &picture_of, err));
    align_context_free(context);
    context = NULL;
    TRY(al_threads_new(&threads, v->options.threads, err));
    TRY(al_recall(out, &retrieval, threads, err));
done:
    align_context_free(context);
    al_threads_free(threads);
    al_free(picture_of);
    al_free(v->pictures);
    al_free(v->rows);
    v->pictures = v->rows = NULL;
    return status;
}
