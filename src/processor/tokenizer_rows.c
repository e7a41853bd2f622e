/*
 * tokenizer_rows.c: pieces to rows of ids: truncation (with the rows that overflow), template, padding.
 *
 * Reference: tokenizers 0.15.2, utils/truncation.rs, Encoding::truncate and merge_with, utils/padding.rs; transformers
 * 4.37.2, _get_padding_truncation_strategies and set_truncation_and_padding.
 */
#include "base/memory.h"
#include "base/status.h"
#include "processor/tokenizer.h"

/* The options, resolved: what model_max_length and the tokenizer's sides say is in it. */
typedef struct plan {
    const align_tokenizer *t;
    align_truncation truncation;
    bool pad, add_special, overflow, pad_left;
    int64_t max_length; /* -1: there is none */
    int64_t pad_length; /* -1: the longest row's */
    int64_t multiple;
    size_t stride;
} plan;

static align_status make_plan(plan *p, const align_tokenizer *t, const align_encode_options *o, align_error *err)
{
    align_status status = ALIGN_OK;
    const int64_t length = o->max_length >= 0 ? o->max_length : t->model_max_length;
    *p = (plan){.t = t, .multiple = o->pad_to_multiple_of, .stride = (size_t)o->stride, .max_length = length};
    p->truncation = length < 0 ? ALIGN_TRUNCATE_NONE : o->truncation;
    p->pad = o->padding == ALIGN_PAD_LONGEST || (o->padding == ALIGN_PAD_MAX_LENGTH && length >= 0);
    p->pad_length = o->padding == ALIGN_PAD_MAX_LENGTH ? length : -1;
    p->add_special = o->add_special_tokens;
    p->overflow = o->return_overflowing_tokens;
    p->pad_left = o->pad_left || t->pad_left;
    if (p->pad && t->pad_id < 0)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "padding: the tokenizer has no pad token");
    if (p->truncation == ALIGN_TRUNCATE_NONE)
        goto done;
    if (p->pad && p->multiple > 0 && length % p->multiple != 0)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT,
             "max_length: %" PRId64 " is not a multiple of pad_to_multiple_of %" PRId64, length, p->multiple);
    /* Whether or not special tokens are added, as the reference has it. */
    const int64_t room = length - (int64_t)t->single.added;
    if (room >= 0 && room < o->stride)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT,
             "stride: %" PRId64 " does not fit into max_length %" PRId64 " less %zu special tokens", o->stride, length,
             t->single.added);
done:
    return status;
}

/* ---- truncation ---- */

/* How a sequence of length pieces is cut: windows of most pieces, stride of them shared by neighbours. */
typedef struct cut {
    size_t length, most, stride;
    bool left;
    size_t windows;
} cut;

typedef struct window {
    size_t start, stop;
} window;

static align_status make_cut(cut *c, size_t length, size_t most, const plan *p, align_error *err)
{
    align_status status = ALIGN_OK;
    *c = (cut){length, most, p->stride, p->t->truncate_left, 1};
    if (most >= length)
        goto done;
    if (most == 0) { /* nothing, and then all of it as what overflows */
        c->windows = 2;
        goto done;
    }
    if (p->stride >= most)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "stride: expected less than the %zu tokens that are left, found %zu",
             most, p->stride);
    c->windows = 1 + (length - most + most - p->stride - 1) / (most - p->stride);
done:
    return status;
}

static window window_at(const cut *c, size_t i)
{
    if (c->most == 0)
        return (window){0, i == 0 ? 0 : c->length};
    const size_t offset = i * (c->most - c->stride);
    if (c->most >= c->length)
        return (window){0, c->length};
    if (c->left) {
        const size_t stop = c->length - offset;
        return (window){stop < c->most ? 0 : stop - c->most, stop};
    }
    return (window){offset, c->length - offset < c->most ? c->length : offset + c->most};
}

/* How many pieces of each are left when the longer one is cut first. */
static void share(size_t *a, size_t *b, size_t most)
{
    const bool swap = *a > *b;
    size_t shorter = swap ? *b : *a;
    size_t longer = shorter > most ? shorter : shorter > most - shorter ? shorter : most - shorter;
    if (shorter + longer > most) {
        shorter = most / 2;
        longer = shorter + most % 2;
    }
    *a = swap ? longer : shorter;
    *b = swap ? shorter : longer;
}

static align_status truncate(const plan *p, const al_sample *sample, cut *a, cut *b, align_error *err)
{
    align_status status = ALIGN_OK;
    const size_t length_a = sample->middle - sample->first, length_b = sample->last - sample->middle;
    const size_t total = length_a + length_b;
    const size_t added = p->add_special ? (sample->pair ? p->t->pair.added : p->t->single.added) : 0;
    size_t most_a = length_a, most_b = length_b;
    /* A max_length without room for the special tokens truncates nothing: the reference's subtraction wraps around. */
    const bool wanted = p->truncation != ALIGN_TRUNCATE_NONE && (uint64_t)p->max_length >= added;
    const size_t most = wanted ? (size_t)p->max_length - added : SIZE_MAX;
    if (most == 0) {
        most_a = most_b = 0;
    } else if (total > most) {
        const size_t excess = total - most;
        size_t *target = p->truncation == ALIGN_TRUNCATE_ONLY_SECOND ? &most_b : &most_a;
        if (p->truncation == ALIGN_TRUNCATE_ONLY_SECOND && !sample->pair)
            FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "truncation: only_second, but there is no second text");
        if (p->truncation != ALIGN_TRUNCATE_LONGEST_FIRST && *target <= excess)
            FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT,
                 "truncation: of %zu tokens %zu would have to go to respect max_length %" PRId64, *target, excess,
                 p->max_length);
        if (p->truncation == ALIGN_TRUNCATE_LONGEST_FIRST && sample->pair)
            share(&most_a, &most_b, most);
        else
            *target -= excess;
    }
    TRY(make_cut(a, length_a, most_a, p, err));
    TRY(make_cut(b, length_b, most_b, p, err));
done:
    return status;
}

/* ---- rows ---- */

/* One row: windows of a sample's texts. A window other than the first one keeps its sequence's own type. */
typedef struct row {
    size_t sample;
    window a, b;
    bool later_a, later_b;
} row;

typedef struct rows {
    row *items;
    size_t count, capacity;
} rows;

static align_status add_row(rows *r, row item, align_error *err)
{
    if (r->count == r->capacity) {
        const size_t capacity = r->capacity ? 2 * r->capacity : 16;
        size_t bytes;
        row *items = al_mul(capacity, sizeof *items, &bytes) ? al_realloc(r->items, bytes) : NULL;
        if (!items)
            return al_error_no_memory(err, capacity);
        r->items = items;
        r->capacity = capacity;
    }
    r->items[r->count++] = item;
    return ALIGN_OK;
}

static bool b_comes_first(const al_template *template)
{
    for (size_t i = 0; i < template->count; i++)
        if (template->parts[i].kind != AL_TEMPLATE_SPECIAL)
            return template->parts[i].kind == AL_TEMPLATE_B;
    return false;
}

/*
 * All rows of a sample, in the reference's order: the first windows of both; each later window of the text that comes
 * first in the template with every window of the other; the first window with each later one of the other.
 */
static align_status add_rows(rows *r, const plan *p, size_t sample, const cut *a, const cut *b, bool pair,
                             align_error *err)
{
    align_status status = ALIGN_OK;
    const bool swap = pair && b_comes_first(&p->t->pair);
    const cut *outer = swap ? b : a, *inner = swap ? a : b;
    for (int pass = 0; pass < (p->overflow ? 3 : 1); pass++) {
        const size_t i_first = pass == 1, i_last = pass == 1 ? outer->windows : 1;
        const size_t k_first = pass == 2, k_last = pass == 0 ? 1 : inner->windows;
        for (size_t i = i_first; i < i_last; i++)
            for (size_t k = k_first; k < k_last; k++) {
                const size_t ia = swap ? k : i, ib = swap ? i : k;
                TRY(add_row(r, (row){sample, window_at(a, ia), window_at(b, ib), ia > 0, ib > 0}, err));
            }
    }
done:
    return status;
}

static size_t row_length(const plan *p, const row *item, bool pair)
{
    const size_t added = p->add_special ? (pair ? p->t->pair.added : p->t->single.added) : 0;
    return added + (item->a.stop - item->a.start) + (item->b.stop - item->b.start);
}

/* What rows are padded to; 0: they are not. All first rows count, those that overflow do not. */
static align_status padded_length(const plan *p, const rows *r, const al_sample *samples, size_t *out, align_error *err)
{
    align_status status = ALIGN_OK;
    size_t length = p->pad && p->pad_length >= 0 ? (size_t)p->pad_length : 0;
    for (size_t i = 0; p->pad && p->pad_length < 0 && i < r->count; i++) {
        const size_t own = row_length(p, r->items + i, samples[r->items[i].sample].pair);
        const bool first = i == 0 || r->items[i - 1].sample != r->items[i].sample;
        if (first && own > length)
            length = own;
    }
    const size_t multiple = (size_t)p->multiple;
    if (p->pad && multiple > 0 && length % multiple > 0 && !al_add(length, multiple - length % multiple, &length))
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "pad_to_multiple_of: %zu is too large", multiple);
    *out = length;
done:
    return status;
}

/* One block holds all arrays, offsets first: align_encoding_done frees that. */
static align_status allocate(align_encoding *e, size_t row_count, size_t tokens, align_error *err)
{
    size_t elements, bytes;
    if (!al_mul(tokens, 6, &elements) || !al_add(elements, 2 * row_count + 1, &elements) ||
        !al_mul(elements, sizeof(int64_t), &bytes))
        return al_error_no_memory(err, SIZE_MAX);
    e->offsets = al_alloc(bytes);
    if (!e->offsets)
        return al_error_no_memory(err, bytes);
    _Static_assert(sizeof(size_t) == sizeof(int64_t), "offsets share a block with the others");
    e->rows = row_count;
    e->sample = (int64_t *)(void *)e->offsets + row_count + 1;
    e->input_ids = e->sample + row_count;
    e->token_type_ids = e->input_ids + tokens;
    e->attention_mask = e->token_type_ids + tokens;
    e->special_tokens_mask = e->attention_mask + tokens;
    e->char_starts = e->special_tokens_mask + tokens;
    e->char_ends = e->char_starts + tokens;
    return ALIGN_OK;
}

typedef struct cell {
    int64_t id, type, attention, special, start, end;
} cell;

static void put(align_encoding *e, size_t *at, cell c)
{
    e->input_ids[*at] = c.id;
    e->token_type_ids[*at] = c.type;
    e->attention_mask[*at] = c.attention;
    e->special_tokens_mask[*at] = c.special;
    e->char_starts[*at] = c.start;
    e->char_ends[*at] = c.end;
    ++*at;
}

/* The window of those that begin at `first`. Texts without words have no pieces: then there is no array. */
static void put_sequence(align_encoding *e, size_t *at, const al_piece *pieces, size_t first, window w, int64_t type)
{
    for (size_t i = first + w.start; i < first + w.stop; i++)
        put(e, at, (cell){pieces[i].id, type, 1, 0, pieces[i].start, pieces[i].end});
}

static void put_row(const plan *p, align_encoding *e, size_t *at, const al_piece *pieces, const al_sample *sample,
                    const row *r)
{
    const al_template *template = sample->pair ? &p->t->pair : &p->t->single;
    for (size_t i = 0; i < template->count; i++) {
        const al_template_part *part = template->parts + i;
        if (part->kind == AL_TEMPLATE_A)
            put_sequence(e, at, pieces, sample->first, r->a, r->later_a ? 0 : part->type_id);
        else if (part->kind == AL_TEMPLATE_B)
            put_sequence(e, at, pieces, sample->middle, r->b, r->later_b ? 1 : part->type_id);
        else if (p->add_special)
            put(e, at, (cell){part->id, part->type_id, 1, 1, 0, 0});
    }
}

static void put_padding(const plan *p, align_encoding *e, size_t *at, size_t count)
{
    for (size_t i = 0; i < count; i++)
        put(e, at, (cell){p->t->pad_id, 0, 0, 1, 0, 0});
}

static align_status fill(const plan *p, align_encoding *e, const rows *r, const al_piece *pieces,
                         const al_sample *samples, align_error *err)
{
    align_status status = ALIGN_OK;
    size_t padded, tokens = 0, at = 0;
    TRY(padded_length(p, r, samples, &padded, err));
    for (size_t i = 0; i < r->count; i++) {
        const size_t own = row_length(p, r->items + i, samples[r->items[i].sample].pair);
        if (!al_add(tokens, own > padded ? own : padded, &tokens)) {
            status = al_error_no_memory(err, SIZE_MAX);
            goto done;
        }
    }
    TRY(allocate(e, r->count, tokens, err));
    for (size_t i = 0; i < r->count; i++) {
        const row *item = r->items + i;
        const al_sample *sample = samples + item->sample;
        const size_t own = row_length(p, item, sample->pair);
        const size_t padding = own < padded ? padded - own : 0;
        e->offsets[i] = at;
        e->sample[i] = (int64_t)item->sample;
        put_padding(p, e, &at, p->pad_left ? padding : 0);
        put_row(p, e, &at, pieces, sample, item);
        put_padding(p, e, &at, p->pad_left ? 0 : padding);
    }
    e->offsets[r->count] = at;
    e->length = r->count > 0 ? (int64_t)e->offsets[1] : 0;
    for (size_t i = 0; i < r->count; i++)
        if ((int64_t)(e->offsets[i + 1] - e->offsets[i]) != e->length)
            e->length = -1;
done:
    return status;
}

align_status al_make_rows(const align_tokenizer *t, const al_piece *pieces, const al_sample *samples, size_t count,
                          const align_encode_options *options, align_encoding *out, align_error *err)
{
    align_status status = ALIGN_OK;
    plan p;
    rows r = {0};
    TRY(make_plan(&p, t, options, err));
    for (size_t i = 0; i < count; i++) {
        cut a, b;
        status = truncate(&p, samples + i, &a, &b, err);
        if (status != ALIGN_OK) {
            al_error_prefix(err, "text %zu", i);
            goto done;
        }
        TRY(add_rows(&r, &p, i, &a, &b, samples[i].pair, err));
    }
    TRY(fill(&p, out, &r, pieces, samples, err));
done:
    al_free(r.items);
    return status;
}

void align_encoding_done(align_encoding *encoding)
{
    if (!encoding)
        return;
    al_free(encoding->offsets);
    *encoding = (align_encoding){0};
}
