/* quantized.c: see quantized.h. */
#include "search/quantized.h"

#include "base/least.h"
#include "base/memory.h"
#include "base/status.h"
#include "search/scan.h"

#include <string.h>

/* Slots that are made and written together. */
#define BLOCK_BYTES ((size_t)1 << 20)

void al_quantized_close(al_quantized *q)
{
    al_vectors_close(&q->steps);
    al_vectors_close(&q->step);
}

/* *ready: so many slots are there. A file that is none, or shorter than it says, is made anew. */
static align_status open_one(al_vectors *v, const char *index, const al_vectors *of, al_vectors_element element,
                             int64_t *ready, align_error *err)
{
    al_vectors_key key = of->key;
    key.element = element;
    align_status status = ALIGN_OK;
    if (v->fd < 0 || memcmp(&v->key, &key, sizeof key) != 0) {
        al_vectors_close(v);
        status = al_vectors_open(v, index, &key, of->writable, err);
    }
    if (status == ALIGN_OK)
        status = al_vectors_get_ready(v, ready, err);
    if (status == ALIGN_OK || !of->writable)
        return status;
    *ready = 0;
    al_vectors_close(v);
    return al_vectors_create(v, index, &key, err);
}

static align_status make(al_quantized *q, const uint16_t *vectors, int64_t from, int64_t until, align_error *err)
{
    align_status status = ALIGN_OK;
    const size_t width = (size_t)q->steps.key.width, most = BLOCK_BYTES / width;
    int8_t *steps = al_alloc(most * width);
    float *step = al_alloc(most * sizeof *step);
    if (!steps || !step) {
        status = al_error_no_memory(err, most * width);
        goto done;
    }
    for (int64_t slot = from; slot < until; slot += (int64_t)most) {
        const size_t n = al_least((size_t)(until - slot), most);
        al_quantize(n, width, vectors + (size_t)slot * width, steps, step);
        TRY(al_vectors_write(&q->steps, slot, steps, n, err));
        TRY(al_vectors_write(&q->step, slot, step, n, err));
    }
    TRY(al_vectors_sync(&q->steps, err));
    TRY(al_vectors_sync(&q->step, err));
    TRY(al_vectors_set_ready(&q->steps, until, err));
    TRY(al_vectors_set_ready(&q->step, until, err));
done:
    al_free(steps);
    al_free(step);
    return status;
}

align_status al_quantized_view(al_quantized *q, const char *index, const al_vectors *of, const uint16_t *vectors,
                               int64_t slots, const int8_t **steps, const float **step, align_error *err)
{
    align_status status = ALIGN_OK;
    int64_t ready[2];
    const void *maps[2];
    TRY(open_one(&q->steps, index, of, AL_ELEMENT_STEPS, &ready[0], err));
    TRY(open_one(&q->step, index, of, AL_ELEMENT_STEP, &ready[1], err));
    const int64_t both = ready[0] < ready[1] ? ready[0] : ready[1];
    if (both < slots && !of->writable)
        FAIL(err, ALIGN_ERROR_NOT_FOUND, "%s: only %" PRId64 " of %" PRId64 " vectors", q->steps.path, both, slots);
    if (both < slots)
        TRY(make(q, vectors, both, slots, err));
    TRY(al_vectors_view(&q->steps, slots, &maps[0], err));
    TRY(al_vectors_view(&q->step, slots, &maps[1], err));
    *steps = maps[0];
    *step = maps[1];
done:
    if (status != ALIGN_OK)
        al_quantized_close(q);
    return status;
}
