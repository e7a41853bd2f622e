/*
 * loop.c: align_train: step after step until the last one, with all that surrounds a step. What a step computes is in
 * model/align_train.h, the update in optimizer.h, the files in checkpoint.h.
 *
 * The order at the end of a step is what makes a run survive being killed anywhere: the log first, then the best model,
 * then the checkpoint. Whoever resumes finds in the log every step up to the checkpoint (and cuts off what is beyond),
 * and validates again where the best model was newer.
 *
 * Ranks go through all of it together, and share out validations too. The first one alone writes, while the others
 * wait: what it has come to is agreed on, as is whatever else only some may find out, so that all go on or all end.
 */
#include "base/file.h"
#include "base/folder.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/status.h"
#include "model/align_train.h"
#include "model/argument.h"
#include "train/buckets.h"
#include "train/checkpoint.h"
#include "train/events.h"
#include "train/freeze.h"
#include "train/loader.h"
#include "train/log.h"
#include "train/matches.h"
#include "train/plot.h"
#include "train/ranks.h"
#include "train/recipe.h"
#include "train/schedule.h"
#include "train/together.h"
#include "train/validate.h"

#include <math.h>
#include <string.h>
#include <time.h>

#define TOKENS 64 /* AlignProcessor's max_length */

/* Streams of random numbers under the run's seed. */
enum { DROPOUT_KEY = 1 };

typedef struct loop {
    align_train_options options; /* with every default resolved */
    align_train_callbacks callbacks;
    const al_collective *ranks; /* NULL: alone */
    bool first;                 /* of the ranks, or alone: the one that reads and writes output */
    al_buckets buckets;         /* with ranks: gradients on their way to each other */
    al_threads *threads;
    al_trainer *trainer;
    al_loader *loader;
    al_matches matches;      /* empty: not asked for */
    al_validator *validator; /* NULL: there are no pairs for it */
    al_log *log;
    al_events *events;
    al_progress progress;
    int lock;             /* on output */
    int64_t per_epoch;    /* batches in an epoch */
    size_t workspace;     /* bytes a step may use; 0: no limit */
    size_t told;          /* unreadable pictures that there was a warning of */
    struct timespec then; /* when the last step was done */
    align_train_progress now;
    align_recall recall;
} loop;

/* ---- before the first step ---- */

static align_status check_arguments(const align_model *model, const align_processor *processor,
                                    const align_dataset *pairs, const align_train_options *options, align_error *err)
{
    align_status status = ALIGN_OK;
    TRY(al_need(model, "model", err));
    TRY(al_need(processor, "processor", err));
    TRY(al_need(pairs, "pairs", err));
    TRY(al_need(options, "options", err));
    TRY(al_need(options->output, "output", err));
    TRY(al_recipe_check(options, err));
    if (align_model_tower(model) != ALIGN_TOWER_BOTH)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "model: expected both towers");
done:
    return status;
}

static bool vision_learns(const al_trainable *t)
{
    return al_trainable_learns(t, ALIGN_TOWER_VISION);
}

/* A hash of what the pairs say, so that other pairs are noticed. */
static uint64_t digest_of(const align_dataset *pairs)
{
    uint64_t h = AL_HASH_START;
    for (size_t i = 0; i < align_dataset_count(pairs); i++)
        for (size_t k = 0; k < align_dataset_texts(pairs, i); k++) {
            const char *text = align_dataset_text(pairs, i, k);
            h = al_hash(h, text, strlen(text) + 1); /* the end counts too: "a", "bc" are not "ab", "c" */
        }
    return h;
}

static align_status describe_pairs(json_t *recipe, const char *key, const align_dataset *pairs, align_error *err)
{
    char *text = pairs ? al_format("%zu pictures, texts %016" PRIx64, align_dataset_count(pairs), digest_of(pairs))
                       : al_strdup("none");
    const bool failed = !text || json_object_set_new(recipe, key, json_string(text)) != 0;
    al_free(text);
    return failed ? al_error_no_memory(err, 64) : ALIGN_OK;
}

static int64_t tokens_of(const align_train_options *options, const align_model *model)
{
    const int64_t most = align_model_config(model)->text_config.max_position_embeddings;
    const int64_t wanted = options->max_length ? options->max_length : TOKENS;
    return wanted < most ? wanted : most;
}

static align_status open_data(loop *l, const align_processor *processor, const align_dataset *pairs,
                              const align_dataset *validation, align_error *err)
{
    align_status status = ALIGN_OK;
    const align_train_options *o = &l->options;
    al_loader_options loading = AL_LOADER_OPTIONS_INIT;
    loading.rank = align_ranks_rank(o->ranks);
    loading.ranks = align_ranks_count(o->ranks);
    loading.batch = (size_t)o->batch;
    loading.seed = o->seed;
    loading.all_texts = o->all_texts;
    loading.threads = o->loader_threads;
    loading.cache = (size_t)o->cache;
    loading.max_length = o->max_length;
    loading.fast_decode = o->fast_decode;
    loading.augmentation = o->augmentation;
    TRY(al_loader_new(&l->loader, pairs, processor, &loading, err));
    if (o->known_matches)
        TRY(al_matches_init(&l->matches, pairs, loading.batch, err));
    if (validation) {
        const al_validator_options validating = {o->max_length, o->threads, o->loader_threads, l->ranks};
        TRY(al_validator_new(&l->validator, validation, processor, &validating, err));
    }
done:
    return status;
}

/* How many steps there are, and how many between two of what happens now and then. */
static align_status resolve_steps(loop *l, align_error *err)
{
    align_train_options *o = &l->options;
    l->per_epoch = (int64_t)al_loader_steps_per_epoch(l->loader);
    const int64_t epoch = l->per_epoch > o->accumulate ? l->per_epoch / o->accumulate : 1;
    if (o->steps == 0)
        o->steps = o->epochs * l->per_epoch / o->accumulate;
    if (o->steps == 0)
        o->steps = 1;
    if (o->warmup > o->steps)
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT,
                            "warmup: expected at most all steps, %" PRId64 ", found %" PRId64, o->steps, o->warmup);
    if (o->save_every == 0)
        o->save_every = epoch;
    if (o->validate_every == 0)
        o->validate_every = epoch;
    return ALIGN_OK;
}

/* Bytes that are there through all steps: the model that the run begins from, weights and their average, what learns
 * has a gradient and two moments besides; batches read ahead; sums on their way between ranks. */
static size_t lasting_memory(const loop *l)
{
    const al_optimizer *o = l->progress.optimizer;
    size_t learning = 0;
    for (size_t i = 0; i < o->n_learners; i++)
        learning += o->learners[i].entry->elements;
    return sizeof(float) * (o->trainable->size * (o->average ? 3 : 2) + 3 * learning) + al_loader_memory(l->loader) +
           (l->validator ? al_validator_memory(l->validator) : 0) + (l->ranks ? l->ranks->memory : 0);
}

/* What memory is left for a step beside what lives through all of them. */
static align_status resolve_memory(loop *l, align_error *err)
{
    const size_t lasting = lasting_memory(l), memory = (size_t)l->options.memory;
    if (memory == 0)
        return ALIGN_OK;
    if (memory <= lasting)
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT,
                            "memory: weights, gradients, moments and pictures read ahead take %zu bytes and a step "
                            "some more, found %zu",
                            lasting, memory);
    l->workspace = memory - lasting;
    return ALIGN_OK;
}

static align_status make_learner(loop *l, const align_model *model, align_error *err)
{
    align_status status = ALIGN_OK;
    al_progress *p = &l->progress;
    TRY(al_threads_new(&l->threads, l->options.threads, err));
    TRY(al_trainable_new(&p->trainable, model, err));
    TRY(al_freeze(p->trainable, l->options.freeze, err));
    l->options.freeze_batch_norm |= !vision_learns(p->trainable);
    TRY(al_optimizer_new(&p->optimizer, p->trainable, &l->options, l->threads, err));
    TRY(resolve_memory(l, err));
    TRY(al_trainer_new(&l->trainer, p->trainable, l->threads, err));
    if (l->ranks)
        TRY(al_buckets_init(&l->buckets, p->trainable, l->ranks, err));
done:
    return status;
}

static align_status make_recipe(loop *l, const align_dataset *pairs, const align_dataset *validation, align_error *err)
{
    align_status status = ALIGN_OK;
    TRY(al_recipe_to_json(&l->progress.recipe, &l->options, err));
    TRY(describe_pairs(l->progress.recipe, "pairs", pairs, err));
    TRY(describe_pairs(l->progress.recipe, "validation", validation, err));
done:
    return status;
}

/* Goes on from the last checkpoint, where there is one and that is wanted. */
static align_status resume(loop *l, align_error *err)
{
    align_status status = ALIGN_OK;
    al_progress *p = &l->progress;
    int64_t last;
    TRY(al_make_folder(p->output, err));
    TRY(al_folder_lock(&l->lock, p->output, err));
    TRY(al_checkpoint_prepare(p->output, err));
    TRY(al_checkpoint_last(p->output, &last, err));
    if (last > 0 && !l->options.resume)
        FAIL(err, ALIGN_ERROR_MISMATCH,
             "%s: holds checkpoints of an earlier run, the last of step %" PRId64
             ": resume it, or choose another folder",
             p->output, last);
    if (last > 0)
        TRY(al_checkpoint_load(p, last, err));
done:
    return status;
}

static align_status open_logs(loop *l, align_error *err)
{
    align_status status = ALIGN_OK;
    const align_train_options *o = &l->options;
    if (o->log)
        al_writer_clean(o->log);
    if (o->plot)
        al_writer_clean(o->plot);
    if (o->log)
        TRY(al_log_open(&l->log, o->log, l->progress.step, err));
    if (o->events)
        TRY(al_events_open(&l->events, o->output, l->progress.step, err));
    if (o->plot) /* a place that cannot be written is told of now, not after an epoch */
        TRY(al_plot_save(o->plot, l->progress.losses, l->progress.step, err));
done:
    return status;
}

static align_status prepare(loop *l, const align_model *model, const align_processor *processor,
                            const align_dataset *pairs, const align_dataset *validation, align_error *err)
{
    align_status status = ALIGN_OK;
    l->options.max_length = tokens_of(&l->options, model);
    l->progress.processor = processor;
    l->progress.output = l->options.output;
    TRY(open_data(l, processor, pairs, validation, err));
    TRY(resolve_steps(l, err));
    TRY(make_learner(l, model, err));
    TRY(make_recipe(l, pairs, validation, err));
    l->progress.losses = al_calloc((size_t)l->options.steps, sizeof *l->progress.losses);
    if (!l->progress.losses) {
        status = al_error_no_memory(err, (size_t)l->options.steps * sizeof(float));
        goto done;
    }
    if (l->first) {
        TRY(resume(l, err));
        TRY(open_logs(l, err));
    }
done:
    return status;
}

static align_status begin(loop *l, const align_model *model, const align_processor *processor,
                          const align_dataset *pairs, const align_dataset *validation, align_error *err)
{
    align_status status = ALIGN_OK;
    TRY(al_together_check(l->ranks, &l->options, align_model_config(model), err));
    TRY(al_agree(l->ranks, prepare(l, model, processor, pairs, validation, err), err));
    TRY(al_together_begin(l->ranks, &l->progress, err));
    al_loader_seek(l->loader, (uint64_t)(l->progress.step * l->options.accumulate));
    clock_gettime(CLOCK_MONOTONIC, &l->then);
done:
    return status;
}

static void end(loop *l)
{
    al_log_free(l->log);
    al_events_free(l->events);
    al_validator_free(l->validator);
    al_matches_done(&l->matches);
    al_loader_free(l->loader);
    al_buckets_done(&l->buckets);
    al_trainer_free(l->trainer);
    al_optimizer_free(l->progress.optimizer);
    al_trainable_free(l->progress.trainable);
    al_threads_free(l->threads);
    al_free(l->progress.losses);
    json_decref(l->progress.recipe);
    al_folder_unlock(l->lock);
}

/* ---- a step ---- */

static align_status read_batch(loop *l, al_loader_batch *batch, al_step_options *step, align_error *err)
{
    align_status status = ALIGN_OK;
    TRY(al_agree(l->ranks, al_loader_next(l->loader, batch, err), err));
    step->ranks = l->ranks;
    step->first = batch->first;
    step->total = batch->total;
    if (l->options.known_matches)
        TRY(al_together_match(l->ranks, &l->matches, batch, step, err));
done:
    return status;
}

/* Adds a batch's share to the gradients, and its loss to *loss. last: these gradients are then complete. */
static align_status add_batch(loop *l, uint64_t number, bool last, double *loss, align_error *err)
{
    align_status status = ALIGN_OK;
    const align_train_options *o = &l->options;
    al_step_options step = AL_STEP_OPTIONS_INIT;
    align_inputs inputs = ALIGN_INPUTS_INIT;
    al_loader_batch batch;
    double batch_loss;
    step.slice = (size_t)o->slice;
    step.precision = o->precision;
    step.dropout = !o->no_dropout;
    step.key = al_random_key(al_random_key(o->seed, DROPOUT_KEY), number);
    step.batch_statistics = !o->freeze_batch_norm;
    step.sync_statistics = l->ranks && o->sync_batch_norm;
    step.watch = l->ranks && last ? &l->buckets.watch : NULL;
    step.scale = 1.0f / (float)o->accumulate;
    step.memory = l->workspace;
    TRY(read_batch(l, &batch, &step, err));
    const int64_t rows = (int64_t)batch.count, pictures[] = {rows, 3, batch.height, batch.width};
    const int64_t texts[] = {rows, batch.length};
    inputs.pixel_values = align_tensor_view(ALIGN_F32, 4, pictures, batch.pixel_values);
    inputs.input_ids = align_tensor_view(ALIGN_I64, 2, texts, batch.input_ids);
    inputs.attention_mask = align_tensor_view(ALIGN_I64, 2, texts, batch.attention_mask);
    TRY(al_trainer_step(l->trainer, &inputs, &step, &batch_loss, err));
    *loss += batch_loss / (double)o->accumulate;
    l->now.pairs += (int64_t)batch.total;
done:
    return status;
}

/* Torch's clip_grad_norm_. */
static double clip_factor(double most, double norm)
{
    const double factor = most / (norm + 1e-6);
    return most > 0.0 && factor < 1.0 ? factor : 1.0;
}

/* Says what of this step is no finite number. Before the first update it is the model's own doing. */
static align_status diverged(const loop *l, align_error *err)
{
    const bool loss = !isfinite(l->now.loss);
    return al_error_set(err, ALIGN_ERROR_DIVERGED, "step %" PRId64 ": the %s is %f: %s", l->now.step,
                        loss ? "loss" : "gradient",
                        fabs(loss ? l->now.loss : l->now.gradient), /* a NaN may have a sign */
                        l->progress.step == 0
                            ? "the model that the run begins from has weights that are no finite numbers, or too large"
                            : "a lower learning rate, a longer warm-up or a bound on the gradient may help; "
                              "checkpoints of earlier steps are whole");
}

static align_status learn(loop *l, align_error *err)
{
    align_status status = ALIGN_OK;
    al_progress *p = &l->progress;
    const align_train_options *o = &l->options;
    const al_schedule schedule = {o->schedule, o->warmup, o->steps};
    const double factor = al_schedule_factor(&schedule, p->step);
    l->now = (align_train_progress){.step = p->step + 1, .steps = o->steps, .rate = o->lr * factor};
    al_trainable_clear_gradient(p->trainable);
    for (int64_t i = 0; i < o->accumulate; i++)
        TRY(add_batch(l, (uint64_t)(p->step * o->accumulate + i), i + 1 == o->accumulate, &l->now.loss, err));
    if (l->ranks)
        al_buckets_finish(&l->buckets);
    l->now.gradient = al_optimizer_gradient_norm(p->optimizer);
    if (!isfinite(l->now.loss) || !isfinite(l->now.gradient)) {
        status = diverged(l, err);
        goto done;
    }
    al_optimizer_update(p->optimizer, factor, clip_factor(o->clip, l->now.gradient));
    p->losses[p->step++] = (float)l->now.loss;
done:
    return status;
}

/* ---- around a step ---- */

static void warn(const loop *l, const char *where, const char *reason)
{
    char *message = l->callbacks.warning ? al_format("%s: %s: skipped", where, reason) : NULL;
    if (message)
        l->callbacks.warning(l->callbacks.user, message);
    al_free(message);
}

static void tell_skipped(loop *l)
{
    const char *where, *reason;
    const size_t skipped = al_loader_skipped(l->loader);
    for (; l->told < skipped; l->told++)
        if (al_loader_skip_reason(l->loader, l->told, &where, &reason))
            warn(l, where, reason);
    l->now.skipped = al_together_count(l->ranks, (int64_t)skipped);
}

static double seconds_since(struct timespec *then)
{
    const struct timespec before = *then;
    clock_gettime(CLOCK_MONOTONIC, then);
    return (double)(then->tv_sec - before.tv_sec) + (double)(then->tv_nsec - before.tv_nsec) * 1e-9;
}

static bool is_due(const loop *l, int64_t every)
{
    return l->progress.step % every == 0 || l->progress.step == l->options.steps;
}

static align_status measure_recall(loop *l, align_error *err)
{
    align_status status = ALIGN_OK;
    al_progress *p = &l->progress;
    align_model *model = NULL;
    al_trainer_rest(l->trainer); /* in its place there is a model for a while */
    al_optimizer_swap_average(p->optimizer);
    al_together_share_statistics(l->ranks, p->trainable); /* or each would embed with a model of its own */
    status = al_trainable_to_model(&model, p->trainable, p->trainable->values, ALIGN_PRECISION_F32, err);
    TRY(al_agree(l->ranks, status, err));
    TRY(al_validator_run(l->validator, model, &l->recall, err));
done:
    align_model_free(model);
    al_optimizer_swap_average(p->optimizer);
    return status;
}

/* Fills now.validation, and notes whether it is the best. */
static align_status validate(loop *l, align_error *err)
{
    align_status status = ALIGN_OK;
    al_progress *p = &l->progress;
    TRY(al_agree(l->ranks, measure_recall(l, err), err));
    if (l->ranks)
        l->ranks->tell(l->ranks->user, 0, &l->recall, sizeof l->recall);
    l->now.validation = &l->recall;
    if (p->best_step == 0 || align_recall_mean(&l->recall) > align_recall_mean(&p->best)) {
        p->best = l->recall;
        p->best_step = p->step;
    }
done:
    return status;
}

/* Tells the caller of the step; false: he wants no more of them, on any rank. */
static bool report(loop *l)
{
    const al_progress *p = &l->progress;
    align_train_progress *now = &l->now;
    now->epoch = (double)(p->step * l->options.accumulate) / (double)l->per_epoch;
    now->temperature = (double)*(const float *)p->trainable->weights.temperature.data;
    tell_skipped(l);
    now->seconds = seconds_since(&l->then);
    const bool go_on = !l->callbacks.step || l->callbacks.step(l->callbacks.user, now);
    return l->ranks ? l->ranks->least(l->ranks->user, go_on) > 0 : go_on;
}

static align_status save(const loop *l, align_error *err)
{
    align_status status = ALIGN_OK;
    const al_progress *p = &l->progress;
    TRY(al_checkpoint_save(p, l->options.keep, err));
    if (l->options.plot)
        TRY(al_plot_save(l->options.plot, p->losses, p->step, err));
done:
    return status;
}

/* What a step leaves on disk. */
static align_status record(loop *l, bool go_on, align_error *err)
{
    align_status status = ALIGN_OK;
    const al_progress *p = &l->progress;
    if (!l->first)
        return ALIGN_OK;
    if (l->log)
        TRY(al_log_step(l->log, &l->now, err));
    if (l->events)
        TRY(al_events_step(l->events, &l->now, err));
    if (p->best_step == p->step)
        TRY(al_checkpoint_save_best(p, err));
    if (is_due(l, l->options.save_every) || !go_on)
        TRY(save(l, err));
done:
    return status;
}

static align_status run(loop *l, bool *stopped, align_error *err)
{
    align_status status = ALIGN_OK;
    const align_train_options *o = &l->options;
    bool go_on = true;
    while (l->progress.step < o->steps && go_on) {
        TRY(learn(l, err));
        if (l->validator && is_due(l, o->validate_every))
            TRY(validate(l, err));
        go_on = report(l);
        TRY(al_agree(l->ranks, record(l, go_on, err), err));
    }
    *stopped = l->progress.step < o->steps;
    if (!*stopped)
        TRY(al_agree(l->ranks, l->first ? al_checkpoint_save_result(&l->progress, err) : ALIGN_OK, err));
done:
    return status;
}

align_status align_train(const align_model *model, const align_processor *processor, const align_dataset *pairs,
                         const align_dataset *validation, const align_train_options *options,
                         const align_train_callbacks *callbacks, align_train_result *result, align_error *err)
{
    align_status status = ALIGN_OK;
    bool stopped = false;
    loop l = {.lock = -1};
    if (result)
        *result = (align_train_result){0};
    TRY(check_arguments(model, processor, pairs, options, err));
    l.options = *options;
    if (callbacks)
        l.callbacks = *callbacks;
    l.ranks = al_ranks_collective(options->ranks);
    l.first = align_ranks_rank(options->ranks) == 0;
    TRY(begin(&l, model, processor, pairs, validation, err));
    TRY(run(&l, &stopped, err));
    if (result)
        *result = (align_train_result){.step = l.progress.step,
                                       .steps = l.options.steps,
                                       .stopped = stopped,
                                       .loss = (double)l.progress.losses[l.progress.step - 1],
                                       .validated = l.progress.best_step > 0,
                                       .best = l.progress.best,
                                       .best_step = l.progress.best_step};
done:
    end(&l);
    return status;
}
