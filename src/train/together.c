/* together.c: see together.h. */
#include "train/together.h"

#include "base/memory.h"
#include "base/status.h"
#include "checkpoint/json.h"
#include "model/contrast.h"
#include "train/recipe.h"

#include <limits.h>
#include <string.h>

static size_t slices_of(size_t pairs, size_t slice)
{
    return slice ? (pairs + slice - 1) / slice : 1;
}

align_status al_together_check(const al_collective *ranks, const align_train_options *o, const align_config *config,
                               align_error *err)
{
    if (!ranks)
        return ALIGN_OK;
    const size_t batch = (size_t)o->batch, size = (size_t)ranks->size, slice = (size_t)o->slice;
    if (batch < size)
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT,
                            "batch: expected at least a pair for each of %zu processes, found %zu", size, batch);
    if (batch > INT_MAX / sizeof(float) / (size_t)config->projection_dim)
        return al_error_set(
            err, ALIGN_ERROR_INVALID_ARGUMENT,
            "batch: the embeddings of %zu pairs are more than %d bytes, which is the most that processes "
            "tell each other at once",
            batch, INT_MAX);
    if (o->sync_batch_norm && !o->freeze_batch_norm &&
        slices_of(batch / size, slice) != slices_of((batch + size - 1) / size, slice))
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT,
                            "batch: %zu pairs are not as many slices of %zu in each of %zu processes, as common "
                            "statistics need: take a multiple of %zu",
                            batch, slice, size, size);
    return ALIGN_OK;
}

/* ---- the beginning ---- */

static void tell(const al_collective *ranks, void *bytes, size_t n)
{
    ranks->tell(ranks->user, 0, bytes, n);
}

static void tell_tensors(const al_collective *ranks, const align_tensors *tensors)
{
    for (size_t i = 0; i < align_tensors_count(tensors); i++) {
        const align_tensor *t = align_tensors_at(tensors, i);
        tell(ranks, (void *)(uintptr_t)t->data, (size_t)align_tensor_elements(t) * align_dtype_size(t->dtype));
    }
}

/* Holds this rank's recipe against the first one's. */
static align_status compare_recipes(const al_collective *ranks, const al_progress *p, align_error *err)
{
    align_status status = ALIGN_OK;
    char *text = NULL, *name = NULL;
    json_t *first = NULL;
    size_t bytes = 0;
    TRY(al_agree(ranks, al_json_format(&text, p->recipe, AL_JSON_NO_NEWLINE, err), err));
    bytes = strlen(text) + 1;
    tell(ranks, &bytes, sizeof bytes);
    if (ranks->rank > 0) {
        al_free(text);
        text = al_alloc(bytes);
    }
    TRY(al_agree(ranks, text ? ALIGN_OK : al_error_no_memory(err, bytes), err));
    tell(ranks, text, bytes);
    name = al_format("process %d", ranks->rank);
    status = name ? al_json_parse(&first, text, bytes - 1, "process 0", err) : al_error_no_memory(err, bytes);
    if (status == ALIGN_OK)
        status = al_recipe_compare(first, p->recipe, name, err);
    TRY(al_agree(ranks, status, err));
done:
    json_decref(first);
    al_free(name);
    al_free(text);
    return status;
}

align_status al_together_begin(const al_collective *ranks, al_progress *p, align_error *err)
{
    align_status status = ALIGN_OK;
    align_tensors *views = NULL;
    if (!ranks)
        return ALIGN_OK;
    TRY(compare_recipes(ranks, p, err));
    status = align_tensors_new(&views, err);
    if (status == ALIGN_OK)
        status = al_trainable_add_to(p->trainable, views, "", p->trainable->values, true, err);
    if (status == ALIGN_OK)
        status = al_optimizer_add_to(p->optimizer, views, err);
    TRY(al_agree(ranks, status, err));
    tell_tensors(ranks, views);
    tell(ranks, &p->step, sizeof p->step);
    tell(ranks, p->losses, (size_t)p->step * sizeof *p->losses);
    tell(ranks, &p->best, sizeof p->best);
    tell(ranks, &p->best_step, sizeof p->best_step);
    p->optimizer->updates = p->step;
done:
    align_tensors_free(views);
    return status;
}

/* ---- steps ---- */

/* Everyone's numbers in one array, to be freed. */
static align_status gather(const al_collective *ranks, const al_loader_batch *batch, const size_t *mine, size_t **all,
                           align_error *err)
{
    *all = al_calloc(batch->total, sizeof **all);
    const align_status status =
        al_agree(ranks, *all ? ALIGN_OK : al_error_no_memory(err, batch->total * sizeof **all), err);
    if (status == ALIGN_OK)
        ranks->gather(ranks->user, mine, batch->count * sizeof *mine, *all);
    return status;
}

align_status al_together_match(const al_collective *ranks, al_matches *m, const al_loader_batch *batch,
                               al_step_options *step, align_error *err)
{
    align_status status = ALIGN_OK;
    size_t *pairs = NULL, *texts = NULL;
    if (ranks) {
        TRY(gather(ranks, batch, batch->pairs, &pairs, err));
        TRY(gather(ranks, batch, batch->texts, &texts, err));
    }
    al_matches_find(m, batch->total, pairs ? pairs : batch->pairs, texts ? texts : batch->texts);
    step->text_matches = m->texts + batch->first * al_match_words(batch->total);
    step->image_matches = m->images + batch->first * al_match_words(batch->total);
done:
    al_free(pairs);
    al_free(texts);
    return status;
}

void al_together_share_statistics(const al_collective *ranks, al_trainable *trainable)
{
    if (ranks)
        tell(ranks, trainable->buffers, trainable->buffer_bytes);
}

int64_t al_together_count(const al_collective *ranks, int64_t x)
{
    double sum = (double)x;
    if (ranks)
        ranks->sum(ranks->user, &sum, 1);
    return (int64_t)sum;
}
