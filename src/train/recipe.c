/* recipe.c: see recipe.h. */
#include "train/recipe.h"

#include "base/memory.h"
#include "base/status.h"
#include "checkpoint/json.h"
#include "model/argument.h"

#include <float.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

typedef enum kind { WHOLE, REAL, FLAG, WORD, THREADS, TEXT } kind;

typedef struct rule {
    const char *key;
    kind kind;
    size_t offset;
    bool decides; /* another value gives another result */
    double least, most;
    bool open;                /* least itself is too small */
    const char *const *words; /* WORD: names of the enum's values, 0 to most */
} rule;

static const char *const optimizers[] = {"adamw", "lamb"};
static const char *const schedules[] = {"linear", "cosine", "constant"};
static const char *const precisions[] = {"f32", "bf16"};

#define MANY      ((double)INT32_MAX)
#define BELOW_ONE (1.0 - DBL_EPSILON / 2.0)

/* clang-format off */
#define AT(name)    offsetof(align_train_options, name)
#define VARIED(name) offsetof(align_train_options, augmentation.name)
static const rule rules[] = {
    {"epochs",            WHOLE,   AT(epochs),            false, 1, MANY, false, NULL},
    {"steps",             WHOLE,   AT(steps),             true,  0, MANY, false, NULL},
    {"batch",             WHOLE,   AT(batch),             true,  2, MANY, false, NULL},
    {"slice",             WHOLE,   AT(slice),             true,  0, MANY, false, NULL},
    {"accumulate",        WHOLE,   AT(accumulate),        true,  1, MANY, false, NULL},
    {"seed",              WHOLE,   AT(seed),              true,  -DBL_MAX, DBL_MAX, false, NULL},
    {"max_length",        WHOLE,   AT(max_length),        true,  0, MANY, false, NULL},
    {"all_texts",         FLAG,    AT(all_texts),         true,  0, 1, false, NULL},
    {"known_matches",     FLAG,    AT(known_matches),     true,  0, 1, false, NULL},
    {"fast_decode",       FLAG,    AT(fast_decode),       true,  0, 1, false, NULL},
    {"cache",             WHOLE,   AT(cache),             false, 0, DBL_MAX, false, NULL},
    {"augmentation.crop", FLAG,    VARIED(crop),          true,  0, 1, false, NULL},
    {"augmentation.scale_least", REAL, VARIED(scale_least), true, 0, 1, true, NULL},
    {"augmentation.scale_most",  REAL, VARIED(scale_most),  true, 0, 1, true, NULL},
    {"augmentation.ratio_least", REAL, VARIED(ratio_least), true, 0, DBL_MAX, true, NULL},
    {"augmentation.ratio_most",  REAL, VARIED(ratio_most),  true, 0, DBL_MAX, true, NULL},
    {"augmentation.flip", REAL,    VARIED(flip),          true,  0, 1, false, NULL},
    {"augmentation.brightness", REAL, VARIED(brightness), true,  0, DBL_MAX, false, NULL},
    {"augmentation.contrast",   REAL, VARIED(contrast),   true,  0, DBL_MAX, false, NULL},
    {"augmentation.saturation", REAL, VARIED(saturation), true,  0, DBL_MAX, false, NULL},
    {"augmentation.hue",  REAL,    VARIED(hue),           true,  0, 0.5, false, NULL},
    {"optimizer",         WORD,    AT(optimizer),         true,  0, 1, false, optimizers},
    {"lr",                REAL,    AT(lr),                true,  0, DBL_MAX, true, NULL},
    {"text_lr",           REAL,    AT(text_lr),           true,  0, DBL_MAX, false, NULL},
    {"vision_lr",         REAL,    AT(vision_lr),         true,  0, DBL_MAX, false, NULL},
    {"schedule",          WORD,    AT(schedule),          true,  0, 2, false, schedules},
    {"warmup",            WHOLE,   AT(warmup),            true,  0, MANY, false, NULL},
    {"beta1",             REAL,    AT(beta1),             true,  0, BELOW_ONE, false, NULL},
    {"beta2",             REAL,    AT(beta2),             true,  0, BELOW_ONE, false, NULL},
    {"epsilon",           REAL,    AT(epsilon),           true,  0, DBL_MAX, true, NULL},
    {"weight_decay",      REAL,    AT(weight_decay),      true,  0, DBL_MAX, false, NULL},
    {"trust_most",        REAL,    AT(trust_most),        true,  0, DBL_MAX, false, NULL},
    {"clip",              REAL,    AT(clip),              true,  0, DBL_MAX, false, NULL},
    {"ema",               REAL,    AT(ema),               true,  0, BELOW_ONE, false, NULL},
    {"temperature_least", REAL,    AT(temperature_least), true,  0, DBL_MAX, true, NULL},
    {"temperature_most",  REAL,    AT(temperature_most),  true,  0, DBL_MAX, true, NULL},
    {"freeze",            TEXT,    AT(freeze),            true,  0, 0, false, NULL},
    {"precision",         WORD,    AT(precision),         true,  0, 1, false, precisions},
    {"no_dropout",        FLAG,    AT(no_dropout),        true,  0, 1, false, NULL},
    {"freeze_batch_norm", FLAG,    AT(freeze_batch_norm), true,  0, 1, false, NULL},
    {"sync_batch_norm",   FLAG,    AT(sync_batch_norm),   true,  0, 1, false, NULL},
    {"threads",           THREADS, AT(threads),           false, 0, 1024, false, NULL},
    {"loader_threads",    THREADS, AT(loader_threads),    false, 0, 256, false, NULL},
    {"memory",            WHOLE,   AT(memory),            false, 0, DBL_MAX, false, NULL},
    {"save_every",        WHOLE,   AT(save_every),        false, 0, MANY, false, NULL},
    {"validate_every",    WHOLE,   AT(validate_every),    false, 0, MANY, false, NULL},
    {"keep",              WHOLE,   AT(keep),              false, 1, MANY, false, NULL},
};
/* clang-format on */

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* The enums have the size of an int, which C leaves to the compiler and every ABI here grants. */
_Static_assert(sizeof(align_optimizer) == sizeof(int) && sizeof(align_schedule) == sizeof(int) &&
                   sizeof(align_precision) == sizeof(int),
               "enums are read as int");

static double number(const rule *r, const align_train_options *options)
{
    const void *at = (const char *)options + r->offset;
    switch (r->kind) {
    case WHOLE:
        return (double)*(const int64_t *)at;
    case REAL:
        return *(const double *)at;
    case FLAG:
        return *(const bool *)at ? 1.0 : 0.0;
    case WORD:
    case THREADS:
        return (double)*(const int *)at;
    case TEXT:
        break;
    }
    return 0.0;
}

align_status al_recipe_check(const align_train_options *options, align_error *err)
{
    for (size_t i = 0; i < COUNT(rules); i++) {
        const rule *r = &rules[i];
        const double value = number(r, options);
        if (value >= r->least && value <= r->most && !(r->open && value == r->least))
            continue;
        if (r->kind == WORD)
            return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "%s: %g is none", r->key, value);
        const bool above = value > r->most;
        const char *bound = above ? r->most == BELOW_ONE ? "less than" : "at most" : r->open ? "more than" : "at least";
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "%s: expected %s %g, found %.12g", r->key, bound,
                            above ? r->most : r->least, value);
    }
    if (options->temperature_least > options->temperature_most)
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT,
                            "temperature_least: expected at most the largest temperature, %g, found %g",
                            options->temperature_most, options->temperature_least);
    if (options->steps > 0 && options->warmup > options->steps)
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT,
                            "warmup: expected at most all steps, %" PRId64 ", found %" PRId64, options->steps,
                            options->warmup);
    return ALIGN_OK;
}

align_status align_train_options_check(const align_train_options *options, align_error *err)
{
    const align_status status = al_need(options, "options", err);
    return status == ALIGN_OK ? al_recipe_check(options, err) : status;
}

static json_t *value_of(const rule *r, const align_train_options *options)
{
    const void *at = (const char *)options + r->offset;
    switch (r->kind) {
    case WHOLE:
        return json_integer(*(const int64_t *)at);
    case FLAG:
        return json_boolean(*(const bool *)at);
    case WORD:
        return json_string(r->words[*(const int *)at]);
    case TEXT:
        return *(const char *const *)at ? json_string(*(const char *const *)at) : json_null();
    case REAL:
    case THREADS:
        break;
    }
    return json_real(number(r, options));
}

align_status al_recipe_to_json(json_t **out, const align_train_options *options, align_error *err)
{
    json_t *recipe = json_object();
    bool failed = !recipe;
    for (size_t i = 0; i < COUNT(rules) && !failed; i++)
        if (rules[i].decides)
            failed = json_object_set_new(recipe, rules[i].key, value_of(&rules[i], options)) != 0;
    if (failed) {
        json_decref(recipe);
        return al_error_no_memory(err, COUNT(rules));
    }
    *out = recipe;
    return ALIGN_OK;
}

/* A JSON value in words for a message; freed with al_free. */
static char *words_of(const json_t *value)
{
    char *text = NULL;
    if (!value)
        return al_strdup("nothing");
    if (al_json_format(&text, value, AL_JSON_NO_NEWLINE, NULL) != ALIGN_OK)
        return NULL;
    return text;
}

align_status al_recipe_compare(const json_t *then, const json_t *now, const char *file, align_error *err)
{
    align_status status = ALIGN_OK;
    json_t *readable = (json_t *)(uintptr_t)now; /* jansson's iterators change nothing */
    char *before = NULL, *after = NULL;
    for (void *i = json_object_iter(readable); i; i = json_object_iter_next(readable, i)) {
        const char *key = json_object_iter_key(i);
        const json_t *was = json_object_get(then, key), *is = json_object_iter_value(i);
        if (was && json_equal(was, is))
            continue;
        before = words_of(was);
        after = words_of(is);
        FAIL(err, ALIGN_ERROR_MISMATCH, "%s: key %s: the run began with %s and cannot go on with %s", file, key,
             before ? before : "?", after ? after : "?");
    }
done:
    al_free(before);
    al_free(after);
    return status;
}
