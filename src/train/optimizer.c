/* optimizer.c: see optimizer.h. */
#include "train/optimizer.h"

#include "base/memory.h"
#include "base/status.h"

#include <math.h>
#include <string.h>

#define STRETCH 16384 /* floats that a thread takes at once */

/* ---- what learns, and how ---- */

/* Weights decay. What is added, multiplies a norm or is the temperature does not. */
static bool decays(al_param_kind kind)
{
    return kind == AL_PARAM_WEIGHT || kind == AL_PARAM_WORD || kind == AL_PARAM_XAVIER;
}

static double rate_of(const al_trainable_entry *entry, const align_train_options *o)
{
    const double own = entry->owner == ALIGN_TOWER_TEXT     ? o->text_lr
                       : entry->owner == ALIGN_TOWER_VISION ? o->vision_lr
                                                            : 0.0;
    return own > 0.0 && o->lr > 0.0 ? own / o->lr : 1.0;
}

static bool learns(const al_trainable_entry *entry)
{
    return !entry->buffer && !entry->frozen && entry->elements > 0;
}

static size_t count_stretches(const al_trainable_entry *entry)
{
    return (entry->elements + STRETCH - 1) / STRETCH;
}

static void cut(al_optimizer *o, al_learner *learner)
{
    const al_trainable_entry *entry = learner->entry;
    for (size_t i = learner->begin; i < learner->end; i++) {
        const size_t done = (i - learner->begin) * STRETCH, left = entry->elements - done;
        o->stretches[i] =
            (al_stretch){(size_t)(learner - o->learners), entry->offset + done, left < STRETCH ? left : STRETCH, {0}};
    }
}

static align_status list_learners(al_optimizer *o, align_error *err)
{
    const al_trainable *t = o->trainable;
    for (size_t i = 0; i < t->n_entries; i++)
        if (learns(&t->entries[i])) {
            o->n_learners++;
            o->n_stretches += count_stretches(&t->entries[i]);
        }
    o->learners = al_calloc(o->n_learners, sizeof *o->learners);
    o->stretches = al_calloc(o->n_stretches, sizeof *o->stretches);
    if (!o->learners || !o->stretches)
        return al_error_no_memory(err, o->n_stretches * sizeof *o->stretches);
    al_learner *learner = o->learners;
    size_t begin = 0;
    for (size_t i = 0; i < t->n_entries; i++) {
        const al_trainable_entry *entry = &t->entries[i];
        if (!learns(entry))
            continue;
        const bool decay = decays(entry->kind);
        *learner = (al_learner){.entry = entry,
                                .rate = rate_of(entry, &o->options),
                                .decay = decay ? o->options.weight_decay : 0.0,
                                .adapts = decay && o->options.optimizer == ALIGN_OPTIMIZER_LAMB,
                                .begin = begin,
                                .end = begin + count_stretches(entry)};
        cut(o, learner);
        begin = learner->end;
        learner++;
    }
    return ALIGN_OK;
}

/* The moments begin at zero. Pages of tensors that do not learn are never touched. */
static align_status make_moments(al_optimizer *o, align_error *err)
{
    const size_t bytes = o->trainable->size * sizeof(float);
    o->first = al_alloc_aligned(bytes);
    o->second = al_alloc_aligned(bytes);
    if (!o->first || !o->second)
        return al_error_no_memory(err, bytes);
    for (size_t i = 0; i < o->n_learners; i++) {
        const al_trainable_entry *entry = o->learners[i].entry;
        memset(o->first + entry->offset, 0, entry->elements * sizeof(float));
        memset(o->second + entry->offset, 0, entry->elements * sizeof(float));
    }
    return ALIGN_OK;
}

static align_status make_average(al_optimizer *o, align_error *err)
{
    const al_trainable *t = o->trainable;
    const size_t bytes = t->size * sizeof(float);
    o->average = al_alloc_aligned(bytes);
    o->average_buffers = al_alloc_aligned(t->buffer_bytes);
    if (!o->average || !o->average_buffers)
        return al_error_no_memory(err, bytes);
    memcpy(o->average, t->values, bytes);
    memcpy(o->average_buffers, t->buffers, t->buffer_bytes);
    return ALIGN_OK;
}

align_status al_optimizer_new(al_optimizer **out, al_trainable *trainable, const align_train_options *options,
                              al_threads *threads, align_error *err)
{
    align_status status = ALIGN_OK;
    *out = NULL;
    al_optimizer *o = al_calloc(1, sizeof *o);
    if (!o)
        return al_error_no_memory(err, sizeof *o);
    o->kernels = al_kernels_get();
    o->threads = threads;
    o->trainable = trainable;
    o->options = *options;
    TRY(list_learners(o, err));
    TRY(make_moments(o, err));
    if (options->ema > 0.0)
        TRY(make_average(o, err));
    *out = o;
    o = NULL;
done:
    al_optimizer_free(o);
    return status;
}

void al_optimizer_free(al_optimizer *o)
{
    if (!o)
        return;
    al_free(o->learners);
    al_free(o->stretches);
    al_free_aligned(o->first);
    al_free_aligned(o->second);
    al_free_aligned(o->average);
    al_free_aligned(o->average_buffers);
    al_free(o);
}

/* ---- gradients ---- */

/* Squares are added up in f32 this far, and in double from there. */
#define SQUARES 1024

static void square_stretches(void *user, size_t begin, size_t end, int thread)
{
    al_optimizer *o = user;
    (void)thread;
    for (size_t i = begin; i < end; i++) {
        al_stretch *s = &o->stretches[i];
        const float *g = o->trainable->gradient + s->offset;
        s->squares[0] = 0.0;
        for (size_t done = 0; done < s->count; done += SQUARES) {
            const size_t n = s->count - done < SQUARES ? s->count - done : SQUARES;
            s->squares[0] += (double)o->kernels->dot(n, g + done, g + done);
        }
    }
}

double al_optimizer_gradient_norm(al_optimizer *o)
{
    double sum = 0.0;
    al_threads_run(o->threads, o->n_stretches, 0, square_stretches, o);
    for (size_t i = 0; i < o->n_stretches; i++)
        sum += o->stretches[i].squares[0];
    return sqrt(sum);
}

/* ---- an update ---- */

static al_adam_arrays arrays(const al_optimizer *o, const al_stretch *s)
{
    return (al_adam_arrays){o->trainable->gradient + s->offset, o->first + s->offset, o->second + s->offset,
                            o->trainable->values + s->offset, o->average ? o->average + s->offset : NULL};
}

/* Adam's whole step, or LAMB's moments and norms, which come before its steps. */
static void first_part(void *user, size_t begin, size_t end, int thread)
{
    al_optimizer *o = user;
    (void)thread;
    for (size_t i = begin; i < end; i++) {
        al_stretch *s = &o->stretches[i];
        const al_learner *learner = &o->learners[s->learner];
        const al_adam_arrays x = arrays(o, s);
        s->squares[0] = s->squares[1] = 0.0;
        if (learner->adapts)
            o->kernels->adam_moments(&learner->step, s->count, &x, s->squares);
        else
            o->kernels->adam(&learner->step, s->count, &x);
    }
}

static void second_part(void *user, size_t begin, size_t end, int thread)
{
    al_optimizer *o = user;
    (void)thread;
    for (size_t i = begin; i < end; i++) {
        const al_stretch *s = &o->stretches[i];
        const al_learner *learner = &o->learners[s->learner];
        const al_adam_arrays x = arrays(o, s);
        if (learner->adapts)
            o->kernels->adam_step(&learner->step, s->count, &x);
    }
}

/* An average over few weights is one over fewer of them: it forgets the first ones sooner. */
static double average_share(const al_optimizer *o)
{
    const double early = (1.0 + (double)o->updates) / (10.0 + (double)o->updates);
    return 1.0 - (early < o->options.ema ? early : o->options.ema);
}

static void set_step(al_learner *learner, const al_optimizer *o, double rate, double scale)
{
    const align_train_options *options = &o->options;
    const double t = (double)o->updates; /* this update's number, from 1 */
    learner->step = (al_adam){.scale = (float)scale,
                              .new1 = (float)(1.0 - options->beta1),
                              .old2 = (float)options->beta2,
                              .new2 = (float)(1.0 - options->beta2),
                              .correct = (float)(1.0 / (1.0 - pow(options->beta1, t))),
                              .root = (float)(1.0 / sqrt(1.0 - pow(options->beta2, t))),
                              .epsilon = (float)options->epsilon,
                              .decay = (float)learner->decay,
                              .keep = (float)(1.0 - rate * learner->decay),
                              .rate = (float)rate,
                              .new_average = o->average ? (float)average_share(o) : 0.0f};
}

/* LAMB: a layer moves by its own length times the rate, in the direction of Adam's step and its weight decay: line 11
 * of algorithm 2 with phi(x) = x. A length that is zero says nothing about the other. */
static double trust_ratio(const al_optimizer *o, const al_learner *learner)
{
    double weights = 0.0, steps = 0.0;
    for (size_t i = learner->begin; i < learner->end; i++) {
        weights += o->stretches[i].squares[0];
        steps += o->stretches[i].squares[1];
    }
    if (!(weights > 0.0) || !(steps > 0.0))
        return 1.0;
    const double ratio = sqrt(weights) / sqrt(steps);
    return o->options.trust_most > 0.0 && ratio > o->options.trust_most ? o->options.trust_most : ratio;
}

static void average_buffers(al_optimizer *o)
{
    const al_trainable *t = o->trainable;
    const float share = (float)average_share(o);
    for (size_t i = 0; i < t->n_entries; i++) {
        const al_trainable_entry *entry = &t->entries[i];
        if (!entry->buffer)
            continue;
        char *average = o->average_buffers + entry->offset;
        const char *now = t->buffers + entry->offset;
        if (entry->kind == AL_BUFFER_COUNT) {
            memcpy(average, now, sizeof(int64_t));
            continue;
        }
        float *a = (float *)(void *)average;
        const float *b = (const float *)(const void *)now;
        for (size_t k = 0; k < entry->elements; k++)
            a[k] += share * (b[k] - a[k]);
    }
}

/* The temperature divides the logits: too small a one overflows, and of the wrong sign it turns the loss around. */
static void hold(float *t, const align_train_options *options)
{
    const float least = (float)options->temperature_least, most = (float)options->temperature_most;
    *t = *t < least ? least : *t > most ? most : *t;
}

static void hold_temperature(al_optimizer *o)
{
    for (size_t i = 0; i < o->n_learners; i++) {
        const al_trainable_entry *entry = o->learners[i].entry;
        if (entry->kind != AL_PARAM_TEMPERATURE)
            continue;
        hold(o->trainable->values + entry->offset, &o->options);
        if (o->average)
            hold(o->average + entry->offset, &o->options);
    }
}

void al_optimizer_update(al_optimizer *o, double factor, double scale)
{
    o->updates++;
    for (size_t i = 0; i < o->n_learners; i++)
        set_step(&o->learners[i], o, o->options.lr * o->learners[i].rate * factor, scale);
    al_threads_run(o->threads, o->n_stretches, 0, first_part, o);
    if (o->options.optimizer == ALIGN_OPTIMIZER_LAMB) {
        for (size_t i = 0; i < o->n_learners; i++)
            if (o->learners[i].adapts) {
                const double rate = o->options.lr * o->learners[i].rate * factor;
                set_step(&o->learners[i], o, rate * trust_ratio(o, &o->learners[i]), scale);
            }
        al_threads_run(o->threads, o->n_stretches, 0, second_part, o);
    }
    hold_temperature(o);
    if (o->average)
        average_buffers(o);
}

/* ---- the average ---- */

static void swap(void *a, void *b, size_t bytes)
{
    char *x = a, *y = b, piece[4096];
    for (size_t n; bytes > 0; x += n, y += n, bytes -= n) {
        n = bytes < sizeof piece ? bytes : sizeof piece;
        memcpy(piece, x, n);
        memcpy(x, y, n);
        memcpy(y, piece, n);
    }
}

void al_optimizer_swap_average(al_optimizer *o)
{
    if (!o->average)
        return;
    swap(o->trainable->values, o->average, o->trainable->size * sizeof(float));
    swap(o->trainable->buffers, o->average_buffers, o->trainable->buffer_bytes);
}

/* ---- state ---- */

static align_status add_view(align_tensors *tensors, const char *prefix, const al_trainable_entry *entry,
                             const void *data, align_error *err)
{
    char *name = al_format("%s%s", prefix, entry->name);
    if (!name)
        return al_error_no_memory(err, strlen(entry->name));
    align_tensor tensor = *entry->value;
    tensor.data = data;
    const align_status status = align_tensors_add_view(tensors, name, &tensor, err);
    al_free(name);
    return status;
}

align_status al_optimizer_add_to(const al_optimizer *o, align_tensors *tensors, align_error *err)
{
    align_status status = ALIGN_OK;
    const al_trainable *t = o->trainable;
    for (size_t i = 0; i < o->n_learners; i++) {
        const al_trainable_entry *entry = o->learners[i].entry;
        TRY(add_view(tensors, "first.", entry, o->first + entry->offset, err));
        TRY(add_view(tensors, "second.", entry, o->second + entry->offset, err));
    }
    for (size_t i = 0; i < t->n_entries && o->average; i++) {
        const al_trainable_entry *entry = &t->entries[i];
        const void *data = entry->buffer ? (const void *)(o->average_buffers + entry->offset)
                                         : (const void *)(o->average + entry->offset);
        TRY(add_view(tensors, "average.", entry, data, err));
    }
done:
    return status;
}
