/* freeze.c: see freeze.h. */
#include "train/freeze.h"

#include "base/memory.h"
#include "base/status.h"

#include <stdlib.h>
#include <string.h>

/* A word of the option, and what the names of its tensors begin with. A counted one is followed by ".N" or ".A-B",
 * which choose by the number that comes next in the name. */
typedef struct part {
    const char *word, *prefix;
    bool counted;
} part;

static const part parts_known[] = {
    {"text", "text_model.", false},
    {"text.embeddings", "text_model.embeddings.", false},
    {"text.layers", "text_model.encoder.layer.", true},
    {"text.pooler", "text_model.pooler.", false},
    {"vision", "vision_model.", false},
    {"vision.stem", "vision_model.embeddings.", false},
    {"vision.blocks", "vision_model.encoder.blocks.", true},
    {"text_projection", "text_projection.", false},
    {"temperature", "temperature", false},
};

typedef struct choice {
    const char *prefix;
    bool counted;
    long first, last;
} choice;

/* "3" or "0-3", to the end of the word. */
static bool parse_range(choice *out, const char *text)
{
    char *end;
    if (*text < '0' || *text > '9')
        return false;
    out->first = out->last = strtol(text, &end, 10);
    if (*end == '-' && end[1] >= '0' && end[1] <= '9')
        out->last = strtol(end + 1, &end, 10);
    return *end == '\0' && out->first <= out->last;
}

static bool parse_part(choice *out, const char *word)
{
    for (size_t i = 0; i < sizeof parts_known / sizeof *parts_known; i++) {
        const part *p = &parts_known[i];
        const size_t n = strlen(p->word);
        *out = (choice){.prefix = p->prefix, .counted = p->counted};
        if (!p->counted && strcmp(word, p->word) == 0)
            return true;
        if (p->counted && strncmp(word, p->word, n) == 0 && word[n] == '.')
            return parse_range(out, word + n + 1);
    }
    return false;
}

static bool is_chosen(const choice *c, const char *name)
{
    const size_t n = strlen(c->prefix);
    if (strncmp(name, c->prefix, n) != 0)
        return false;
    const long number = c->counted ? strtol(name + n, NULL, 10) : 0;
    return !c->counted || (number >= c->first && number <= c->last);
}

/* Whether the model has the last layer or block of the range: those before it are there too. */
static bool reaches(const al_trainable *t, const choice *c)
{
    choice last = *c;
    last.first = last.last;
    for (size_t i = 0; i < t->n_entries; i++)
        if (is_chosen(&last, t->entries[i].name))
            return true;
    return false;
}

static align_status freeze_part(al_trainable *t, const char *word, align_error *err)
{
    choice c;
    if (!parse_part(&c, word))
        return al_error_set(
            err, ALIGN_ERROR_INVALID_ARGUMENT,
            "freeze: expected text, text.embeddings, text.layers.A-B, text.pooler, vision, vision.stem, "
            "vision.blocks.A-B, text_projection or temperature, found '%s'",
            word);
    if (!reaches(t, &c))
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "freeze: this model has no %s", word);
    for (size_t i = 0; i < t->n_entries; i++)
        if (is_chosen(&c, t->entries[i].name))
            al_trainable_freeze(t, i, true);
    return ALIGN_OK;
}

static bool learns_anything(const al_trainable *t)
{
    return al_trainable_learns(t, ALIGN_TOWER_TEXT) || al_trainable_learns(t, ALIGN_TOWER_VISION) ||
           al_trainable_learns(t, ALIGN_TOWER_BOTH);
}

align_status al_freeze(al_trainable *t, const char *parts, align_error *err)
{
    align_status status = ALIGN_OK;
    char *words = NULL;
    if (!parts)
        return ALIGN_OK;
    words = al_strdup(parts);
    if (!words)
        return al_error_no_memory(err, strlen(parts));
    for (char *word = words, *next; word; word = next) {
        char *comma = strchr(word, ',');
        next = comma ? comma + 1 : NULL;
        if (comma)
            *comma = '\0';
        TRY(freeze_part(t, word, err));
    }
    if (!learns_anything(t))
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "freeze: nothing is left to learn");
done:
    al_free(words);
    return status;
}
