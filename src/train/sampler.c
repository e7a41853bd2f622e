/* sampler.c: numbers of pairs from the number of a step. */
#include "train/sampler.h"

#include "base/random.h"
#include "base/status.h"
#include "layers/collective.h"
#include "train/dataset.h"

/* Streams of random numbers under the seed, and under an item's key. */
enum { ORDER, ITEMS };
enum { VARIANT, TEXT };

align_status al_sampler_init(al_sampler *s, const align_dataset *dataset, const al_loader_options *o, align_error *err)
{
    align_status status = ALIGN_OK;
    const size_t items = o->all_texts ? dataset->first_text[dataset->count] : dataset->count;
    if (o->batch < 1)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "batch: expected at least 1 pair, found %zu", o->batch);
    if (o->drop_last && o->batch > items)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "batch: %zu pairs are more than the %zu of the data", o->batch, items);
    if (o->ranks < 1 || o->rank < 0 || o->rank >= o->ranks)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "rank: %d is not in 0..%d", o->rank, o->ranks - 1);
    *s = (al_sampler){dataset, o, items, 0};
    s->steps_per_epoch = items / o->batch + (!o->drop_last && items % o->batch != 0);
done:
    return status;
}

al_sampler_step al_sampler_step_at(const al_sampler *s, uint64_t step)
{
    const al_loader_options *o = s->options;
    al_sampler_step at = {.epoch = step / s->steps_per_epoch};
    at.position = (size_t)(step % s->steps_per_epoch) * o->batch;
    const size_t left = s->items - at.position;
    at.total = left < o->batch ? left : o->batch;
    at.first = al_share_begin(at.total, o->rank, o->ranks);
    at.count = al_share_begin(at.total, o->rank + 1, o->ranks) - at.first;
    return at;
}

/* The pair that a text belongs to, by number among all texts. */
static size_t pair_of_text(const align_dataset *d, size_t text)
{
    size_t low = 0, high = d->count; /* first_text[low] <= text < first_text[high] */
    while (high - low > 1) {
        const size_t middle = low + (high - low) / 2;
        if (d->first_text[middle] <= text)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* The position in the epoch's order that an attempt looks at. */
static size_t attempted_position(const al_sampler *s, size_t position, size_t attempt)
{
    if (attempt == 0)
        return position;
    const size_t ahead = s->options->batch < s->items ? s->options->batch : 1;
    return (position + ahead + (attempt - 1) % s->items) % s->items;
}

al_sample_item al_sampler_item(const al_sampler *s, const al_sampler_step *step, size_t row, size_t attempt)
{
    const al_loader_options *o = s->options;
    const uint64_t order = al_random_key(al_random_key(o->seed, ORDER), step->epoch);
    const uint64_t items = al_random_key(al_random_key(o->seed, ITEMS), step->epoch);
    size_t item = attempted_position(s, step->position + row, attempt);
    if (o->shuffle)
        item = al_random_shuffled(order, s->items, item);
    const uint64_t key = al_random_key(items, item);
    al_sample_item found = {.key = al_random_key(key, VARIANT)};
    if (o->all_texts) {
        found.pair = pair_of_text(s->dataset, item);
        found.text = item - s->dataset->first_text[found.pair];
    } else {
        found.pair = item;
        found.text = (size_t)(al_random_unit(key, TEXT) * (double)align_dataset_texts(s->dataset, item));
    }
    return found;
}
