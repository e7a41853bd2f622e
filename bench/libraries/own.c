/*
 * own.c: the kernels of this project behind library.h, as the towers call them: al_linear_forward on one thread, which
 * prepares the operand too where a product wants that, and the depthwise kernel panel by panel, with bias and swish.
 * Expansions write panels and projections read them; the rest is row-major.
 */
#include "base/arena.h"
#include "kernels/kernels.h"
#include "layers/linear.h"
#include "library.h"

#include <align/model.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
    problem p;
    al_run run;
    al_arena weights, workspace;
    al_linear linear;
    float *in, *filters, *bias; /* in panels; in of a product only where that reads panels */
    float *c;
    bool c_panels;
} now;

static void check(align_status status, const align_error *err)
{
    if (status != ALIGN_OK) {
        fprintf(stderr, "align: %s\n", err->message);
        exit(1);
    }
}

static float *floats(size_t n)
{
    float *x = calloc(n, sizeof *x);
    if (!x) {
        fprintf(stderr, "align: out of memory\n");
        exit(1);
    }
    return x;
}

const char *library_name(void)
{
    static char name[48];
    snprintf(name, sizeof name, "align, %s", align_isa());
    return name;
}

/* ---- layouts ---- */

static size_t panels(size_t columns)
{
    return (columns + now.run.kernels->nr - 1) / now.run.kernels->nr;
}

static size_t panel_floats(size_t rows, size_t columns)
{
    return panels(columns) * rows * now.run.kernels->nr;
}

/* Where panels of so many rows have an element. */
static size_t panel_at(size_t rows, size_t row, size_t column)
{
    const size_t nr = now.run.kernels->nr;
    return (column / nr * rows + row) * nr + column % nr;
}

static float *to_panels(const float *x, size_t rows, size_t columns)
{
    float *out = floats(panel_floats(rows, columns));
    for (size_t row = 0; row < rows; row++)
        for (size_t i = 0; i < columns; i++)
            out[panel_at(rows, row, i)] = x[row * columns + i];
    return out;
}

/* ---- products ---- */

static void pack(void *user, const al_packing *packing)
{
    const problem *p = user;
    const int64_t shape[] = {(int64_t)p->n, (int64_t)p->k};
    const align_tensor weight = align_tensor_view(ALIGN_F32, 2, shape, p->b);
    al_linear_init(&now.linear, packing, p->k, p->n);
    al_linear_pack(&now.linear, packing, 0, p->n, &weight, NULL, NULL);
}

static void multiply(void)
{
    const problem *p = &now.p;
    al_linear_forward(&now.run, &now.linear, p->m,
                      now.in ? al_panels(&now.run, now.in, p->m) : al_rows(&now.run, p->a, p->k), ALIGN_ACT_LINEAR,
                      now.c_panels ? al_panels_out(&now.run, now.c, p->m) : al_rows_out(&now.run, now.c, p->n, NULL));
}

static void prepare_product(align_precision how)
{
    const problem *p = &now.p;
    align_error err = ALIGN_ERROR_INIT;
    const al_packing packing = {.kernels = now.run.kernels, .precision = how};
    check(al_packing_run(&packing, &now.weights, pack, &now.p, &err), &err);
    now.in = strcmp(p->group, "projections") == 0 ? to_panels(p->a, p->m, p->k) : NULL;
    now.c_panels = strcmp(p->group, "expansions") == 0;
    now.c = floats(panel_floats(p->m, p->n));
    const al_arena_rehearsal rehearsal = al_arena_rehearse(&now.workspace);
    now.run.dry = true;
    multiply();
    now.run.dry = false;
    check(al_arena_reserve(&now.workspace, rehearsal, 0, &err), &err);
}

/* ---- depthwise convolutions ---- */

static void prepare_depthwise(void)
{
    const problem *p = &now.p;
    now.in = to_panels(p->a, p->in * p->in, p->n);
    now.filters = to_panels(p->b, p->kernel * p->kernel, p->n);
    now.bias = to_panels(p->bias, 1, p->n);
    now.c_panels = true;
    now.c = floats(panel_floats(p->m * p->m, p->n));
}

static void filter(void)
{
    const problem *p = &now.p;
    const size_t nr = now.run.kernels->nr, vl = now.run.kernels->vl;
    const ptrdiff_t before = (ptrdiff_t)padding_before(p);
    for (size_t panel = 0; panel < panels(p->n); panel++) {
        const size_t left = p->n - panel * nr, channels = left < nr ? (left + vl - 1) / vl * vl : nr;
        const al_depthwise d = {.in_rows = p->in,
                                .in_columns = p->in,
                                .out_rows = p->m,
                                .out_columns = p->m,
                                .channels = channels,
                                .in_pixel = nr,
                                .kernel = p->kernel,
                                .stride = p->stride,
                                .top = before,
                                .left = before,
                                .act = ALIGN_ACT_SILU,
                                .in = now.in + panel * p->in * p->in * nr,
                                .weight = now.filters + panel * p->kernel * p->kernel * nr,
                                .bias = now.bias + panel * nr,
                                .out = now.c + panel * p->m * p->m * nr};
        now.run.kernels->depthwise(&d, 0, p->m);
    }
}

/* ---- library.h ---- */

static void forget(void)
{
    free(now.c);
    free(now.in);
    free(now.filters);
    free(now.bias);
    now.c = now.in = now.filters = now.bias = NULL;
    al_arena_done(&now.weights);
    now.weights = (al_arena){0};
}

bool library_prepare(const problem *p, precision how)
{
    static const align_precision PRECISION[PRECISIONS] = {ALIGN_PRECISION_F32, ALIGN_PRECISION_BF16,
                                                          ALIGN_PRECISION_INT8};
    if (!now.run.threads) {
        align_error err = ALIGN_ERROR_INIT;
        now.run.kernels = al_kernels_get();
        if (!now.run.kernels) {
            fprintf(stderr, "align: this machine has not what ALIGN_ISA names\n");
            exit(1);
        }
        now.run.arena = &now.workspace;
        check(al_threads_new(&now.run.threads, 1, &err), &err);
    }
    forget();
    now.p = *p;
    if (p->kernel ? how != F32 : !now.run.kernels->products[PRECISION[how]])
        return false;
    if (p->kernel)
        prepare_depthwise();
    else
        prepare_product(PRECISION[how]);
    return true;
}

void library_run(void)
{
    if (now.p.kernel)
        filter();
    else
        multiply();
}

void library_result(float *c)
{
    const problem *p = &now.p;
    const size_t rows = p->kernel ? p->m * p->m : p->m;
    for (size_t row = 0; row < rows; row++)
        for (size_t i = 0; i < p->n; i++)
            c[row * p->n + i] = now.c[now.c_panels ? panel_at(rows, row, i) : row * p->n + i];
}
