/*
 * layers.c: the table of `align bench --layers`: what every step of a tower costs, and how far it is from what the
 * machine can do. Times, multiply-adds and bytes are those of one item, a picture or a text.
 */
#include "cli.h"
#include <inttypes.h>
#include <stdlib.h>

typedef struct table {
    const align_profile *profile;
    const cli_layers *run;
    double items;        /* that all runs had together */
    double milliseconds; /* of all steps together, an item */
} table;

/* What steps cost together, an item. */
typedef struct cost {
    double milliseconds, macs, weight_bytes, activation_bytes;
} cost;

static void add(const table *t, const align_profile_step *step, cost *sum)
{
    sum->milliseconds += step->milliseconds / t->items;
    sum->macs += (double)step->macs / t->items;
    sum->weight_bytes += (double)step->weight_bytes / t->items;
    sum->activation_bytes += (double)step->activation_bytes / t->items;
}

static cost whole_cost(const table *t)
{
    cost sum = {0};
    for (size_t i = 0; i < t->profile->n_steps; i++)
        add(t, &t->profile->steps[i], &sum);
    return sum;
}

/* A second: of what c has n of. */
static double rate(const cost *c, double n)
{
    return n / (c->milliseconds * 1e-3);
}

static const char *tower_name(align_tower tower)
{
    switch (tower) {
    case ALIGN_TOWER_TEXT:
        return "text";
    case ALIGN_TOWER_VISION:
        return "vision";
    default:
        return "both";
    }
}

/* ---- for programs: one object a step ---- */

static json_t *cost_json(const table *t, const cost *c)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "ms", cli_json_real(c->milliseconds), "share",
                     cli_json_real(c->milliseconds / t->milliseconds), "macs", cli_json_real(c->macs), "gmacs_s",
                     cli_json_real(rate(c, c->macs) * 1e-9), "of_peak", cli_json_real(rate(c, c->macs) / t->run->peak),
                     "weight_bytes", cli_json_real(c->weight_bytes), "activation_bytes",
                     cli_json_real(c->activation_bytes), "gb_s",
                     cli_json_real(rate(c, c->weight_bytes + c->activation_bytes) * 1e-9));
}

static void print_object(json_t *head, json_t *rest)
{
    json_object_update(head, rest);
    json_decref(rest);
    cli_print_json(head);
}

static void print_objects(const table *t)
{
    for (size_t i = 0; i < t->profile->n_steps; i++) {
        const align_profile_step *s = &t->profile->steps[i];
        cost c = {0};
        add(t, s, &c);
        print_object(json_pack("{s:s, s:I, s:s, s:o}", "tower", tower_name(s->tower), "block", (json_int_t)s->block,
                               "step", align_step_name(s->kind), "calls",
                               cli_json_real((double)s->calls / (double)t->run->runs)),
                     cost_json(t, &c));
    }
    const cost all = whole_cost(t);
    print_object(json_pack("{s:s, s:I, s:o, s:o}", "step", "total", "runs", (json_int_t)t->run->runs, "wall_ms",
                           cli_json_real(t->run->milliseconds / t->items), "peak_gmacs_s",
                           cli_json_real(t->run->peak * 1e-9)),
                 cost_json(t, &all));
}

/* ---- for people: blocks that do the same work share their lines ---- */

static void print_line(const table *t, const char *where, const char *step, const cost *c)
{
    const double bytes = c->weight_bytes + c->activation_bytes;
    printf("%-13s %-16s %9.3f %6.1f%%", where, step, c->milliseconds, 100.0 * c->milliseconds / t->milliseconds);
    if (c->macs > 0.0)
        printf(" %9.1f %6.1f%%", rate(c, c->macs) * 1e-9, 100.0 * rate(c, c->macs) / t->run->peak);
    else if (bytes > 0.0)
        printf(" %9s %7s", "", "");
    if (bytes > 0.0)
        printf(" %9.2f %7.1f", bytes * 1e-6, rate(c, bytes) * 1e-9);
    printf("\n");
}

/* One behind the steps of the block that begins here. */
static size_t block_end(const align_profile *p, size_t begin)
{
    size_t end = begin + 1;
    while (end < p->n_steps && p->steps[end].tower == p->steps[begin].tower &&
           p->steps[end].block == p->steps[begin].block)
        end++;
    return end;
}

/* Whether the block whose steps begin at `other` does what the block of steps [begin, end) does. */
static bool same_work(const align_profile *p, size_t begin, size_t end, size_t other)
{
    if (p->steps[begin].block == 0 || other >= p->n_steps || block_end(p, other) - other != end - begin)
        return false;
    for (size_t i = begin, j = other; i < end; i++, j++) {
        const align_profile_step *a = &p->steps[i], *b = &p->steps[j];
        if (a->tower != b->tower || a->kind != b->kind || a->calls != b->calls || a->macs != b->macs ||
            a->weight_bytes != b->weight_bytes || a->activation_bytes != b->activation_bytes)
            return false;
    }
    return true;
}

/* "vision 3-5" */
static char *place_name(const align_profile_step *first, const align_profile_step *last)
{
    if (first->tower == ALIGN_TOWER_BOTH)
        return cli_format("%s", "");
    if (first->block == 0)
        return cli_format("%s", tower_name(first->tower));
    if (first->block == last->block)
        return cli_format("%s %" PRId64, tower_name(first->tower), first->block);
    return cli_format("%s %" PRId64 "-%" PRId64, tower_name(first->tower), first->block, last->block);
}

static void print_blocks(const table *t)
{
    const align_profile *p = t->profile;
    for (size_t begin = 0; begin < p->n_steps;) {
        const size_t end = block_end(p, begin), n = end - begin;
        size_t next = end;
        while (same_work(p, begin, end, next))
            next += n;
        char *where = place_name(&p->steps[begin], &p->steps[next - 1]);
        for (size_t i = begin; i < end; i++) {
            cost c = {0};
            for (size_t j = i; j < next; j += n)
                add(t, &p->steps[j], &c);
            print_line(t, where, align_step_name(p->steps[i].kind), &c);
        }
        free(where);
        begin = next;
    }
}

static void print_sums(const table *t)
{
    for (int kind = 0; kind < ALIGN_STEP_COUNT; kind++) {
        cost c = {0};
        for (size_t i = 0; i < t->profile->n_steps; i++)
            if ((int)t->profile->steps[i].kind == kind)
                add(t, &t->profile->steps[i], &c);
        if (c.milliseconds > 0.0)
            print_line(t, "all", align_step_name((align_step_kind)kind), &c);
    }
    const cost all = whole_cost(t);
    print_line(t, "all", "total", &all);
}

void cli_print_layers(const align_profile *profile, const cli_layers *run, bool json)
{
    table t = {profile, run, (double)run->runs * (double)run->batch, 0.0};
    t.milliseconds = whole_cost(&t).milliseconds;
    if (json) {
        print_objects(&t);
        return;
    }
    printf("%-13s %-16s %9s %7s %9s %7s %9s %7s\n", "block", "step", "ms", "share", "GMAC/s", "of peak", "MB", "GB/s");
    print_blocks(&t);
    printf("\n");
    print_sums(&t);
    printf("\nmeans of %" PRId64 " runs, an item; the calls took %.3f ms; the peak is %.1f GMAC/s\n", run->runs,
           run->milliseconds / t.items, run->peak * 1e-9);
}
