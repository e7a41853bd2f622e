/* matches.c: see matches.h. The batch's texts are sorted once; every text of every picture is then looked up. */
#include "train/matches.h"

#include "base/memory.h"
#include "base/status.h"
#include "model/contrast.h"

#include <stdlib.h>
#include <string.h>

typedef struct al_match_text {
    const char *text;
    size_t row;
} match_text;

align_status al_matches_init(al_matches *m, const align_dataset *dataset, size_t total, align_error *err)
{
    const size_t words = al_match_words(total);
    *m = (al_matches){.dataset = dataset};
    m->texts = al_calloc(total, words * sizeof *m->texts);
    m->images = al_calloc(total, words * sizeof *m->images);
    m->order = al_calloc(total, sizeof *m->order);
    if (m->texts && m->images && m->order)
        return ALIGN_OK;
    al_matches_done(m);
    return al_error_no_memory(err, 2 * total * words * sizeof *m->texts);
}

void al_matches_done(al_matches *m)
{
    al_free(m->texts);
    al_free(m->images);
    al_free(m->order);
    *m = (al_matches){0};
}

static int by_text(const void *a, const void *b)
{
    return strcmp(((const match_text *)a)->text, ((const match_text *)b)->text);
}

static void set(uint64_t *bits, size_t words, size_t row, size_t column)
{
    bits[row * words + column / 64] |= UINT64_C(1) << column % 64;
}

/* The first of the sorted texts that is not before the text. */
static size_t first_not_before(const match_text *order, size_t n, const char *text)
{
    size_t low = 0;
    for (size_t high = n; low < high;) {
        const size_t middle = low + (high - low) / 2;
        if (strcmp(order[middle].text, text) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void al_matches_find(al_matches *m, size_t count, const size_t *pairs, const size_t *texts)
{
    const size_t words = al_match_words(count);
    memset(m->texts, 0, count * words * sizeof *m->texts);
    memset(m->images, 0, count * words * sizeof *m->images);
    for (size_t i = 0; i < count; i++)
        m->order[i] = (match_text){align_dataset_text(m->dataset, pairs[i], texts[i]), i};
    qsort(m->order, count, sizeof *m->order, by_text);
    for (size_t picture = 0; picture < count; picture++)
        for (size_t k = 0; k < align_dataset_texts(m->dataset, pairs[picture]); k++) {
            const char *text = align_dataset_text(m->dataset, pairs[picture], k);
            for (size_t at = first_not_before(m->order, count, text); at < count; at++) {
                if (strcmp(m->order[at].text, text) != 0)
                    break;
                set(m->texts, words, m->order[at].row, picture);
                set(m->images, words, picture, m->order[at].row);
            }
        }
}
