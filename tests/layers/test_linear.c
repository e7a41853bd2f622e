/* linear.c against sums in double: packing from each dtype, scales, stacked matrices, both layouts, any number of
 * threads. */
#include "base/tensor.h"
#include "layers/linear.h"
#include "layers_test.h"

typedef struct problem {
    size_t rows, in, out;
    align_dtype dtype;
    float *x, *weight, *bias, *scale, *residual, *y;
    uint16_t *halves;
    al_linear linear;
} problem;

static void pack(void *user, const al_packing *packing)
{
    problem *p = user;
    al_linear_init(&p->linear, packing, p->in, p->out);
    /* in two parts, as query, key and value are */
    const size_t first = p->out / 3;
    for (size_t part = 0; part < 2; part++) {
        const size_t begin = part ? first : 0, rows = part ? p->out - first : first;
        const int64_t shape[] = {(int64_t)rows, (int64_t)p->in};
        const void *data =
            p->dtype == ALIGN_F32 ? (void *)(p->weight + begin * p->in) : (void *)(p->halves + begin * p->in);
        const align_tensor weight = align_tensor_view(p->dtype, 2, shape, data);
        const align_tensor bias = align_tensor_view(ALIGN_F32, 1, shape, p->bias + begin);
        al_linear_pack(&p->linear, packing, begin, rows, &weight, &bias, p->scale + begin);
    }
}

static void forward(const al_run *run, void *user)
{
    const problem *p = user;
    al_linear_forward(run, &p->linear, p->rows, al_rows(run, p->x, p->in), ALIGN_ACT_RELU,
                      al_rows_out(run, p->y, p->out, p->residual));
}

static void check(size_t rows, size_t in, size_t out, align_dtype dtype)
{
    problem p = {rows,
                 in,
                 out,
                 dtype,
                 random_floats(rows * in, 1),
                 random_floats(out * in, 2),
                 random_floats(out, 3),
                 random_floats(out, 4),
                 random_floats(rows * out, 5),
                 malloc((rows * out + 1) * sizeof(float)),
                 malloc((out * in + 1) * sizeof(uint16_t)),
                 {0}};
    if (dtype == ALIGN_F16)
        al_f32_to_f16(p.weight, out * in, p.halves);
    if (dtype == ALIGN_BF16)
        al_f32_to_bf16(p.weight, out * in, p.halves);
    if (dtype != ALIGN_F32)
        al_to_f32(dtype, p.halves, out * in, p.weight);
    al_arena weights = packed(pack, &p);
    float *first = malloc((rows * out + 1) * sizeof *first);
    for (int threads = 1; threads <= 3; threads++) {
        run_step(threads, forward, &p);
        if (threads == 1)
            memcpy(first, p.y, rows * out * sizeof *first);
        assert_memory_equal(first, p.y, rows * out * sizeof *first);
    }
    for (size_t r = 0; r < rows; r++)
        for (size_t o = 0; o < out; o++) {
            double sum = (double)p.bias[o];
            for (size_t i = 0; i < in; i++)
                sum += (double)p.x[r * in + i] * (double)p.weight[o * in + i] * (double)p.scale[o];
            sum = (sum < 0.0 ? 0.0 : sum) + (double)p.residual[r * out + o];
            assert_close(p.y[r * out + o], (float)sum, 1e-6 * (4.0 + sqrt((double)in)), "linear", r * out + o);
        }
    al_arena_done(&weights);
    free(first);
    free(p.x);
    free(p.weight);
    free(p.bias);
    free(p.scale);
    free(p.residual);
    free(p.y);
    free(p.halves);
}

static void sizes(void **state)
{
    (void)state;
    const size_t rows[] = {0, 1, 7, 200}, ins[] = {1, 45, 1030}, outs[] = {3, 37, 145};
    for (size_t a = 0; a < 4; a++)
        for (size_t b = 0; b < 3; b++)
            for (size_t c = 0; c < 3; c++)
                check(rows[a], ins[b], outs[c], ALIGN_F32);
    check(5, 1030, 37, ALIGN_F16);
    check(5, 1030, 37, ALIGN_BF16);
}

/* Whoever goes through rows in blocks runs dry with the largest one alone: fewer rows must not need more memory. */
static void memory(void **state)
{
    (void)state;
    const size_t in = 1536, out = 384;
    problem p = {.in = in,
                 .out = out,
                 .dtype = ALIGN_F32,
                 .weight = random_floats(out * in, 2),
                 .bias = random_floats(out, 3),
                 .scale = random_floats(out, 4)};
    al_arena weights = packed(pack, &p);
    al_threads *threads;
    assert_int_equal(al_threads_new(&threads, 1, NULL), ALIGN_OK);
    size_t before = 0;
    for (p.rows = 1; p.rows < 600; p.rows++) {
        al_arena arena = {0};
        const al_run run = {.arena = &arena, .threads = threads, .kernels = al_kernels_get(), .dry = true};
        forward(&run, &p);
        assert_true(arena.peak >= before);
        before = arena.peak;
    }
    al_threads_free(threads);
    al_arena_done(&weights);
    free(p.weight);
    free(p.bias);
    free(p.scale);
}

/* al_pack of a matrix and of its transpose give the same panels. */
static void transposed(void **state)
{
    (void)state;
    const al_kernels *k = al_kernels_get();
    const size_t sizes_to_try[][2] = {{1, 1}, {5, 3}, {17, 50}, {64, 64}};
    for (size_t s = 0; s < 4; s++) {
        const size_t in = sizes_to_try[s][0], out = sizes_to_try[s][1], n = al_packed_size(k, in, out);
        float *m = random_floats(in * out, 1), *t = malloc(in * out * sizeof *t);
        float *a = malloc(n * sizeof *a), *b = malloc(n * sizeof *b);
        for (size_t o = 0; o < out; o++)
            for (size_t i = 0; i < in; i++)
                t[i * out + o] = m[o * in + i];
        al_pack(k, m, in, in, out, false, a);
        al_pack(k, t, out, in, out, true, b);
        assert_memory_equal(a, b, n * sizeof *a);
        for (size_t p = 0; p < n; p++) {
            const size_t column = p / (in * k->nr) * k->nr + p % k->nr, i = p / k->nr % in;
            assert_true(a[p] == (column < out ? m[column * in + i] : 0.0f));
        }
        free(m);
        free(t);
        free(a);
        free(b);
    }
}

int main(void)
{
    if (!al_kernels_get())
        return SKIPPED;
    const struct CMUnitTest tests[] = {cmocka_unit_test(sizes), cmocka_unit_test(memory), cmocka_unit_test(transposed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
