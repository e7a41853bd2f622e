/* test_packing.c: packed weights against the formula of kernels.h, for products of every shape. */
#include "layers_test.h"

#include <math.h>

enum { NR = 48, MOST_ROWS = 131, MOST_DEPTH = 600 };

static size_t up(size_t n, size_t multiple)
{
    return (n + multiple - 1) / multiple * multiple;
}

/* A matrix of out columns that comes in two tensors, the second scaled. */
typedef struct source {
    size_t in, out, first;
    align_dtype dtype;
    const void *weights;
    const float *scale;
    al_packed packed;
    size_t released;
} source;

static void pack_both(void *user, const al_packing *packing)
{
    source *s = user;
    const int64_t shapes[2][2] = {{(int64_t)s->first, (int64_t)s->in}, {(int64_t)(s->out - s->first), (int64_t)s->in}};
    const char *second = (const char *)s->weights + s->first * s->in * align_dtype_size(s->dtype);
    const align_tensor a = align_tensor_view(s->dtype, 2, shapes[0], s->weights);
    const align_tensor b = align_tensor_view(s->dtype, 2, shapes[1], second);
    s->packed = al_packed_new(packing, s->in, s->out);
    al_packed_fill(&s->packed, packing, s->in, 0, s->first, &a, NULL);
    al_packed_fill(&s->packed, packing, s->in, s->first, s->out - s->first, &b, s->scale);
}

static void count_release(const void *user, const align_tensor *weight)
{
    size_t *released = (size_t *)(uintptr_t)user;
    *released += (size_t)weight->shape[0];
}

static float weight_at(const source *s, size_t row, size_t i)
{
    const size_t at = row * s->in + i;
    float value;
    if (s->dtype == ALIGN_F32)
        value = ((const float *)s->weights)[at];
    else { /* bfloat16 is the upper half of a float */
        const uint32_t bits = (uint32_t)((const uint16_t *)s->weights)[at] << 16;
        memcpy(&value, &bits, sizeof value);
    }
    return row < s->first ? value : value * s->scale[row - s->first];
}

/* Element i of column c, as a number; of integers the number of steps. */
static float packed_at(const source *s, size_t c, size_t i)
{
    const al_product *p = s->packed.product;
    const size_t depth = up(s->in, p->k_multiple);
    const size_t at = (c / NR * (depth / p->group) + i / p->group) * NR * p->group + c % NR * p->group + i % p->group;
    switch (p->element) {
    case AL_F32:
        return ((const float *)s->packed.weight)[at];
    case AL_S16:
        return ((const int16_t *)s->packed.weight)[at];
    case AL_S8:
        return ((const int8_t *)s->packed.weight)[at];
    case AL_BF16:
        break;
    }
    float value;
    const uint32_t bits = (uint32_t)((const uint16_t *)s->packed.weight)[at] << 16;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void check_column(const source *s, size_t c)
{
    const al_product *p = s->packed.product;
    const bool integer = p->element == AL_S16 || p->element == AL_S8;
    const size_t depth = up(s->in, p->k_multiple);
    float largest = 0.0f;
    int32_t sum = 0;
    for (size_t i = 0; i < s->in && c < s->out; i++)
        largest = fmaxf(largest, fabsf(weight_at(s, c, i)));
    for (size_t i = 0; i < depth; i++) {
        const float found = packed_at(s, c, i), wanted = c < s->out && i < s->in ? weight_at(s, c, i) : 0.0f;
        if (integer) {
            assert_true(fabsf(found * largest / 127.0f - wanted) <= 0.5001f * largest / 127.0f);
            sum += (int32_t)found;
        } else if (p->element == AL_BF16)
            assert_true(fabsf(found - wanted) <= fabsf(wanted) / 256.0f);
        else
            assert_true(found == wanted);
    }
    if (integer) {
        assert_true(s->packed.scale[c] == largest / 127.0f);
        assert_int_equal(s->packed.sum[c], sum);
    }
}

static void check(const al_product *product, align_precision precision, source *s)
{
    al_arena arena = {0};
    al_kernels kernels = {.isa = "test", .nr = NR, .mr = 1};
    kernels.products[precision] = product;
    const al_packing how = {
        .kernels = &kernels, .precision = precision, .release = count_release, .user = &s->released};
    s->released = 0;
    assert_int_equal(al_packing_run(&how, &arena, pack_both, s, NULL), ALIGN_OK);
    assert_int_equal(s->released, s->out);
    for (size_t c = 0; c < up(s->out, NR); c++)
        check_column(s, c);

    /* what was packed is found again where it lies */
    const void *weight = s->packed.weight;
    const int64_t size = (int64_t)arena.peak;
    align_tensor stored = align_tensor_view(ALIGN_U8, 1, &size, arena.base);
    const al_packing again = {.kernels = &kernels, .precision = precision, .stored = &stored};
    al_arena over = {0};
    assert_int_equal(al_packing_run(&again, &over, pack_both, s, NULL), ALIGN_OK);
    assert_ptr_equal(s->packed.weight, weight);
    al_arena_done(&over);
    stored.shape[0]--;
    assert_int_equal(al_packing_run(&again, &over, pack_both, s, NULL), ALIGN_ERROR_MISMATCH);
    stored.data = arena.base + 1;
    assert_int_equal(al_packing_run(&again, &over, pack_both, s, NULL), ALIGN_ERROR_FORMAT);
    al_arena_done(&over);
    al_arena_done(&arena);
}

static void test_layouts(void **state)
{
    (void)state;
    static const struct {
        al_product product;
        align_precision precision;
    } products[] = {
        {{.element = AL_F32, .group = 1, .k_multiple = 1}, ALIGN_PRECISION_F32},
        {{.element = AL_BF16, .group = 1, .k_multiple = 1}, ALIGN_PRECISION_BF16},
        {{.element = AL_BF16, .group = 2, .k_multiple = 32}, ALIGN_PRECISION_BF16},
        {{.element = AL_S16, .group = 2, .k_multiple = 2}, ALIGN_PRECISION_INT8},
        {{.element = AL_S8, .group = 4, .k_multiple = 4}, ALIGN_PRECISION_INT8},
        {{.element = AL_S8, .group = 4, .k_multiple = 64}, ALIGN_PRECISION_INT8},
    };
    static const size_t sizes[][3] = {{1, 1, 0},     {3, 5, 2},       {16, 48, 48}, {255, 49, 7},
                                      {256, 96, 17}, {257, 131, 100}, {600, 33, 1}};
    static float floats[MOST_ROWS * MOST_DEPTH], scale[MOST_ROWS];
    static uint16_t halves[MOST_ROWS * MOST_DEPTH];
    for (size_t i = 0; i < MOST_ROWS * MOST_DEPTH; i++) {
        floats[i] = sinf((float)i * 0.7f) * 3.0f;
        uint32_t bits;
        memcpy(&bits, &floats[i], sizeof bits);
        halves[i] = (uint16_t)(bits >> 16);
    }
    for (size_t i = 0; i < MOST_ROWS; i++)
        scale[i] = i == 3 ? 0.0f : 0.5f + (float)i / 64.0f;
    for (size_t p = 0; p < sizeof products / sizeof *products; p++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            source s = {sizes[i][0], sizes[i][1], sizes[i][2], ALIGN_F32, floats, scale, {0}, 0};
            check(&products[p].product, products[p].precision, &s);
            s.dtype = ALIGN_BF16;
            s.weights = halves;
            check(&products[p].product, products[p].precision, &s);
        }
}

/* Matrices of bf16 that are needed once, as they are and transposed, lie as weights of a product do. */
static void test_bf16_once(void **state)
{
    (void)state;
    enum { STRIDE = 140 };
    static const al_product product = {.element = AL_BF16, .group = 2, .k_multiple = 32};
    static const size_t sizes[][2] = {{1, 1}, {7, 5}, {32, 48}, {64, 49}, {65, 131}, {131, 64}};
    static uint16_t matrix[STRIDE * STRIDE], packed[192 * 160];
    const al_kernels kernels = {.nr = NR, .products = {[ALIGN_PRECISION_BF16] = &product}};
    for (size_t i = 0; i < STRIDE * STRIDE; i++)
        matrix[i] = (uint16_t)(i * 40503u >> 3);
    for (size_t i = 0; i < 2 * sizeof sizes / sizeof *sizes; i++) {
        const size_t in = sizes[i / 2][0], out = sizes[i / 2][1], depth = up(in, 32);
        const bool transposed = i % 2;
        assert_int_equal(al_packed_bf16_size(&kernels, in, out), up(out, NR) * depth);
        memset(packed, 0x7f, sizeof packed);
        al_pack_bf16(&kernels, matrix, STRIDE, in, out, transposed, packed);
        for (size_t c = 0; c < up(out, NR); c++)
            for (size_t k = 0; k < depth; k++) {
                const uint16_t number =
                    transposed ? matrix[k % STRIDE * STRIDE + c % STRIDE] : matrix[c % STRIDE * STRIDE + k % STRIDE];
                const size_t at = (c / NR * (depth / 2) + k / 2) * NR * 2 + c % NR * 2 + k % 2;
                assert_int_equal(packed[at], k < in && c < out ? number : 0);
            }
    }
}

/* A row with an infinity or a NaN gets a step that is not finite, and the steps themselves stay numbers. */
static void test_not_finite(void **state)
{
    (void)state;
    static const al_product product = {.element = AL_S8, .group = 4, .k_multiple = 4};
    const float weights[4][5] = {{1, 2, NAN, 4, 5}, {1, INFINITY, 0, 0, 0}, {0, 0, 0, 0, 0}, {-254, 127, 1, 0, 3}};
    source s = {5, 4, 4, ALIGN_F32, weights, NULL, {0}, 0};
    al_arena arena = {0};
    al_kernels kernels = {.isa = "test", .nr = NR, .mr = 1, .products = {[ALIGN_PRECISION_INT8] = &product}};
    const al_packing how = {.kernels = &kernels, .precision = ALIGN_PRECISION_INT8};
    assert_int_equal(al_packing_run(&how, &arena, pack_both, &s, NULL), ALIGN_OK);
    assert_true(!isfinite(s.packed.scale[0]));
    assert_true(!isfinite(s.packed.scale[1]));
    assert_true(s.packed.scale[2] == 0.0f);
    assert_true(s.packed.scale[3] == 2.0f);
    const float steps[] = {-127, 64, 0, 0, 2}; /* ties to even */
    for (size_t i = 0; i < 5; i++) {
        assert_true(packed_at(&s, 0, i) == 0.0f);
        assert_true(packed_at(&s, 3, i) == steps[i]);
    }
    assert_int_equal(s.packed.sum[3], -61);
    al_arena_done(&arena);
}

/* The same words for kernels that read the same, other words for any others. */
static void test_layout_words(void **state)
{
    (void)state;
    static const al_product f32 = {.name = "one", .element = AL_F32, .group = 1, .k_multiple = 1};
    static const al_product other = {.name = "another", .element = AL_F32, .group = 1, .k_multiple = 1};
    static const al_product bf16 = {.element = AL_BF16, .group = 2, .k_multiple = 32};
    al_kernels kernels = {.isa = "a", .nr = 48, .products = {&f32, &bf16}};
    char a[AL_LAYOUT_SIZE], b[AL_LAYOUT_SIZE];
    al_packing_layout(&kernels, ALIGN_PRECISION_F32, a);
    kernels.products[0] = &other;
    kernels.isa = "b";
    al_packing_layout(&kernels, ALIGN_PRECISION_F32, b);
    assert_string_equal(a, b);
    al_packing_layout(&kernels, ALIGN_PRECISION_BF16, b);
    assert_non_null(strstr(b, "panels of 48, f32 by 1 in 1, bf16 by 2 in 32"));
    kernels.nr = 16;
    al_packing_layout(&kernels, ALIGN_PRECISION_F32, b);
    assert_string_not_equal(a, b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layouts),
        cmocka_unit_test(test_bf16_once),
        cmocka_unit_test(test_not_finite),
        cmocka_unit_test(test_layout_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
