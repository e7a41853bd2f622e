/* norm.c and embedding.c: rows in parallel, tables read in the dtype they are stored in, batch norms folded. */
#include "base/tensor.h"
#include "layers/embedding.h"
#include "layers/norm.h"
#include "layers_test.h"

enum { ROWS = 70, COLUMNS = 300 };

typedef struct problem {
    al_layer_norm norm;
    align_tensor weight, bias, table;
    const int64_t *ids;
    float *x, *y;
} problem;

static void pack(void *user, const al_packing *packing)
{
    problem *p = user;
    al_layer_norm_init(&p->norm, packing, 1e-6f, &p->weight, &p->bias);
}

static void norm_step(const al_run *run, void *user)
{
    const problem *p = user;
    al_layer_norm_forward(run, &p->norm, ROWS, p->x, p->y);
}

static void layer_norm(void **state)
{
    (void)state;
    const int64_t n = COLUMNS;
    float *weight = random_floats(COLUMNS, 1), *bias = random_floats(COLUMNS, 2);
    problem p = {.weight = align_tensor_view(ALIGN_F32, 1, &n, weight),
                 .bias = align_tensor_view(ALIGN_F32, 1, &n, bias),
                 .x = random_floats(ROWS * COLUMNS, 3),
                 .y = malloc(ROWS * COLUMNS * sizeof(float))};
    al_arena weights = packed(pack, &p);
    run_step(2, norm_step, &p);
    for (size_t r = 0; r < ROWS; r++) {
        const float *x = p.x + r * COLUMNS;
        double mean = 0.0, var = 0.0;
        for (size_t c = 0; c < COLUMNS; c++)
            mean += (double)x[c] / COLUMNS;
        for (size_t c = 0; c < COLUMNS; c++)
            var += ((double)x[c] - mean) * ((double)x[c] - mean) / COLUMNS;
        for (size_t c = 0; c < COLUMNS; c++)
            assert_close(p.y[r * COLUMNS + c],
                         (float)(((double)x[c] - mean) / sqrt(var + 1e-6) * (double)weight[c] + (double)bias[c]), 2e-6,
                         "layer norm", c);
    }
    al_arena_done(&weights);
    free(weight);
    free(bias);
    free(p.x);
    free(p.y);
}

static void gather(const al_run *run, void *user)
{
    const problem *p = user;
    al_embedding_forward(run, &p->table, 3, p->ids, false, p->y);
    al_embedding_forward(run, &p->table, 3, p->ids, true, p->y);
}

static void embedding(void **state)
{
    (void)state;
    const int64_t ids[] = {6, 0, 6}, shape[] = {7, COLUMNS};
    float *table = random_floats(7 * COLUMNS, 1);
    uint16_t *halves = malloc(7 * COLUMNS * sizeof *halves);
    al_f32_to_f16(table, 7 * COLUMNS, halves);
    problem p = {.ids = ids, .y = malloc(3 * COLUMNS * sizeof(float))};
    for (int half = 0; half < 2; half++) {
        if (half)
            al_to_f32(ALIGN_F16, halves, 7 * COLUMNS, table);
        p.table = align_tensor_view(half ? ALIGN_F16 : ALIGN_F32, 2, shape, half ? (void *)halves : (void *)table);
        run_step(2, gather, &p);
        for (size_t i = 0; i < 3; i++)
            for (size_t c = 0; c < COLUMNS; c++)
                assert_true(p.y[i * COLUMNS + c] == 2.0f * table[(size_t)ids[i] * COLUMNS + c]);
    }
    free(table);
    free(halves);
    free(p.y);
}

static void folding(void **state)
{
    (void)state;
    const int64_t n = 3;
    const float weight[] = {2.0f, -1.0f, 0.5f}, bias[] = {0.1f, 0.2f, 0.3f}, mean[] = {1.0f, 2.0f, -3.0f};
    const float var[] = {0.25f, 4.0f, 0.0f};
    float scale[3], shift[3];
    const align_tensor t[] = {align_tensor_view(ALIGN_F32, 1, &n, weight), align_tensor_view(ALIGN_F32, 1, &n, bias),
                              align_tensor_view(ALIGN_F32, 1, &n, mean), align_tensor_view(ALIGN_F32, 1, &n, var)};
    al_batch_norm_fold(1e-3, &t[0], &t[1], &t[2], &t[3], scale, shift);
    for (int c = 0; c < 3; c++) {
        const double s = (double)weight[c] / sqrt((double)var[c] + 1e-3);
        assert_true(scale[c] == (float)s);
        assert_true(shift[c] == (float)((double)bias[c] - (double)mean[c] * s));
    }
}

int main(void)
{
    if (!al_kernels_get())
        return SKIPPED;
    const struct CMUnitTest tests[] = {cmocka_unit_test(layer_norm), cmocka_unit_test(embedding),
                                       cmocka_unit_test(folding)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
