/* dense.c, and the gradients of layer norm and embeddings, against sums in double; gradients are added to, and the same
 * bits come out on any number of threads. */
#include "layers/dense.h"
#include "layers/embedding.h"
#include "layers/norm.h"
#include "layers_test.h"

enum { ROWS = 150, IN = 37, OUT = 50, DY_STRIDE = 61 };

/* Buffers of one step: what it is given and what it makes. */
typedef struct problem {
    al_dense dense;
    al_layer_norm norm;
    const float *x, *dy;
    const int64_t *ids;
    float *y, *dx, *dweight, *dbias;
} problem;

static float *filled(size_t n, float value)
{
    float *x = malloc(n * sizeof *x);
    for (size_t i = 0; i < n; i++)
        x[i] = value;
    return x;
}

/* Runs the step on one and on three threads, from gradients of 1; what it makes is the same. */
static void run_twice(step_function step, problem *p, size_t outputs, size_t weights, size_t biases)
{
    p->dx = filled(outputs, 1.0f);
    p->dweight = filled(weights, 1.0f);
    p->dbias = filled(biases, 1.0f);
    run_step(1, step, p);
    problem again = *p;
    again.dx = filled(outputs, 1.0f);
    again.dweight = filled(weights, 1.0f);
    again.dbias = filled(biases, 1.0f);
    run_step(3, step, &again);
    assert_memory_equal(p->dx, again.dx, outputs * sizeof(float));
    assert_memory_equal(p->dweight, again.dweight, weights * sizeof(float));
    assert_memory_equal(p->dbias, again.dbias, biases * sizeof(float));
    free(again.dx);
    free(again.dweight);
    free(again.dbias);
}

static void free_outputs(problem *p)
{
    free(p->dx);
    free(p->dweight);
    free(p->dbias);
}

static void dense_step(const al_run *run, void *user)
{
    problem *p = user;
    p->dense.weight_gradient = p->dweight;
    p->dense.bias_gradient = p->dbias;
    al_dense_forward(run, &p->dense, ROWS, p->x, p->y, DY_STRIDE);
    al_dense_backward(run, &p->dense, ROWS, p->x, p->dy, DY_STRIDE, true, p->dx);
}

static void dense_frozen_step(const al_run *run, void *user)
{
    problem *p = user;
    p->dense.weight_gradient = NULL;
    p->dense.bias_gradient = NULL;
    al_dense_backward(run, &p->dense, ROWS, p->x, p->dy, DY_STRIDE, false, p->dx);
}

static void dense(void **state)
{
    (void)state;
    float *x = random_floats(ROWS * IN, 1), *dy = random_floats(ROWS * DY_STRIDE, 2),
          *y = filled(ROWS * DY_STRIDE, 0.0f);
    float *weight = random_floats(OUT * IN, 3), *bias = random_floats(OUT, 4);
    problem p = {.dense = {IN, OUT, weight, bias, NULL, NULL, ALIGN_PRECISION_F32}, .x = x, .dy = dy, .y = y};
    run_twice(dense_step, &p, ROWS * IN, OUT * IN, OUT);
    for (size_t r = 0; r < ROWS; r++) {
        for (size_t o = 0; o < OUT; o++) {
            double sum = (double)bias[o];
            for (size_t i = 0; i < IN; i++)
                sum += (double)x[r * IN + i] * (double)weight[o * IN + i];
            assert_close(y[r * DY_STRIDE + o], (float)sum, 1e-5, "y", o);
        }
        for (size_t i = 0; i < IN; i++) {
            double sum = 1.0;
            for (size_t o = 0; o < OUT; o++)
                sum += (double)dy[r * DY_STRIDE + o] * (double)weight[o * IN + i];
            assert_close(p.dx[r * IN + i], (float)sum, 1e-5, "dx", i);
        }
    }
    for (size_t o = 0; o < OUT; o++)
        for (size_t i = 0; i <= IN; i++) { /* the last one is the bias, as if x were 1 there */
            double sum = 1.0;
            for (size_t r = 0; r < ROWS; r++)
                sum += (double)dy[r * DY_STRIDE + o] * (i < IN ? (double)x[r * IN + i] : 1.0);
            assert_close(i < IN ? p.dweight[o * IN + i] : p.dbias[o], (float)sum, 1e-5, "dweight", o * IN + i);
        }
    problem frozen = p;
    frozen.dx = filled(ROWS * IN, NAN); /* not added to */
    run_step(2, dense_frozen_step, &frozen);
    for (size_t i = 0; i < ROWS * IN; i++)
        assert_close(frozen.dx[i], p.dx[i] - 1.0f, 1e-5, "dx alone", i);
    free(frozen.dx);
    free_outputs(&p);
    free(x);
    free(dy);
    free(y);
    free(weight);
    free(bias);
}

static void norm_step(const al_run *run, void *user)
{
    const problem *p = user;
    al_layer_norm_backward(run, &p->norm, ROWS, p->x, p->dy, p->dx, p->dweight, p->dbias);
}

/* Rows are those of the kernel; over rows gradients add up. */
static void layer_norm(void **state)
{
    (void)state;
    float *x = random_floats(ROWS * IN, 1), *dy = random_floats(ROWS * IN, 2);
    float *weight = random_floats(IN, 3), dx[IN], dweight[IN], dbias[IN];
    problem p = {.norm = {IN, 1e-5f, weight, weight}, .x = x, .dy = dy};
    run_twice(norm_step, &p, ROWS * IN, IN, IN);
    for (size_t i = 0; i < IN; i++)
        dweight[i] = dbias[i] = 1.0f;
    for (size_t r = 0; r < ROWS; r++) {
        al_kernels_get()->layer_norm_backward(IN, 1e-5f, x + r * IN, weight, dy + r * IN, dx, dweight, dbias);
        assert_memory_equal(dx, p.dx + r * IN, sizeof dx);
    }
    for (size_t i = 0; i < IN; i++) {
        assert_close(p.dweight[i], dweight[i], 1e-5, "dweight", i);
        assert_close(p.dbias[i], dbias[i], 1e-5, "dbias", i);
    }
    problem frozen = p;
    frozen.dweight = frozen.dbias = NULL;
    run_step(1, norm_step, &frozen);
    free_outputs(&p);
    free(x);
    free(dy);
    free(weight);
}

static void embedding_step(const al_run *run, void *user)
{
    const problem *p = user;
    al_embedding_backward(run, IN, ROWS, p->ids, 2, p->dy, p->dweight);
}

/* Ids come more than once; that of padding is left out. */
static void embedding(void **state)
{
    (void)state;
    enum { IDS = 7 };
    float *dy = random_floats(ROWS * IN, 2);
    int64_t ids[ROWS];
    double sums[IDS][IN];
    for (size_t i = 0; i < IDS * IN; i++)
        sums[i / IN][i % IN] = 1.0;
    for (size_t r = 0; r < ROWS; r++) {
        ids[r] = (int64_t)(r * r % IDS);
        for (size_t i = 0; i < IN && ids[r] != 2; i++)
            sums[ids[r]][i] += (double)dy[r * IN + i];
    }
    problem p = {.ids = ids, .dy = dy};
    run_twice(embedding_step, &p, 1, IDS * IN, 1);
    for (size_t i = 0; i < IDS * IN; i++)
        assert_close(p.dweight[i], (float)sums[i / IN][i % IN], 1e-5, "embedding", i);
    free_outputs(&p);
    free(dy);
}

int main(void)
{
    if (!al_kernels_get())
        return SKIPPED;
    const struct CMUnitTest tests[] = {cmocka_unit_test(dense), cmocka_unit_test(layer_norm),
                                       cmocka_unit_test(embedding)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
