/*
 * test_align_train.c: the training step, for what must hold whatever the numbers are: slices give the gradient of the
 * whole batch, what is frozen is left alone, memory is bounded, and the gradient is the slope of the loss, dropout and
 * all. That the numbers are the reference's is test_gradients.c's business.
 */
#include "base/memory.h"
#include "step_test.h"

/* ---- slices ---- */

/* Where nothing but the loss ties pairs together, slices give the gradient of the whole batch. */
static void test_slices(void **state)
{
    (void)state;
    setup s;
    set_up(&s, 2);
    s.options.batch_statistics = false;
    double loss, sliced_loss;
    float *whole = gradient_of(&s, &loss);
    for (size_t slice = 1; slice < PAIRS; slice++) {
        s.options.slice = slice;
        float *sliced = gradient_of(&s, &sliced_loss);
        assert_true(fabs(loss - sliced_loss) <= 1e-6 * loss);
        assert_close(s.trainable, sliced, whole, 1e-5);
        free(sliced);
    }
    s.options.slice = PAIRS + 3;
    float *again = gradient_of(&s, &sliced_loss);
    assert_true(sliced_loss == loss);
    assert_memory_equal(again, whole, s.trainable->size * sizeof *again);
    free(again);
    free(whole);
    tear_down(&s);
}

static int64_t batches_tracked(const setup *s)
{
    return *(const int64_t *)s->trainable->weights.vision.stem_norm.num_batches_tracked.data;
}

/* The running statistics move once a slice, and not at all where they are constants. */
static void test_running_statistics(void **state)
{
    (void)state;
    setup s;
    set_up(&s, 1);
    const int64_t before = batches_tracked(&s);
    step(&s);
    assert_int_equal(batches_tracked(&s), before + 1);
    s.options.slice = 2;
    step(&s);
    assert_int_equal(batches_tracked(&s), before + 4);
    char *buffers = malloc(s.trainable->buffer_bytes);
    assert_non_null(buffers);
    memcpy(buffers, s.trainable->buffers, s.trainable->buffer_bytes);
    s.options.batch_statistics = false;
    step(&s);
    assert_memory_equal(buffers, s.trainable->buffers, s.trainable->buffer_bytes);
    free(buffers);
    tear_down(&s);
}

/* ---- the slope of the loss ---- */

/* The loss h along a direction of unit length. */
static double loss_along(const setup *s, const float *values, const float *direction, double h)
{
    for (size_t i = 0; i < s->trainable->size; i++)
        s->trainable->values[i] = (float)((double)values[i] + h * (double)direction[i]);
    return step(s);
}

/* Along its own gradient the loss rises as fast as that is long: by differences of fourth order. */
static void check_slope(const al_step_options *options)
{
    setup s;
    set_up(&s, 2);
    s.options = *options;
    const size_t n = s.trainable->size;
    double loss, length = 0.0;
    float *gradient = gradient_of(&s, &loss), *values = copy_floats(s.trainable->values, n);
    for (size_t i = 0; i < n; i++)
        length += (double)gradient[i] * (double)gradient[i];
    length = sqrt(length);
    for (size_t i = 0; i < n; i++)
        gradient[i] = (float)((double)gradient[i] / length);
    const double h = 1e-3 / length;
    const double near = loss_along(&s, values, gradient, h) - loss_along(&s, values, gradient, -h);
    const double far = loss_along(&s, values, gradient, 2.0 * h) - loss_along(&s, values, gradient, -2.0 * h);
    const double slope = (8.0 * near - far) / (12.0 * h);
    if (!(fabs(slope - length) <= 2e-3 * length))
        fail_msg("the loss rises by %g, the gradient is %g long", slope, length);
    free(gradient);
    free(values);
    tear_down(&s);
}

static void test_slope(void **state)
{
    (void)state;
    al_step_options options = AL_STEP_OPTIONS_INIT;
    check_slope(&options);
    options.slice = 4;
    check_slope(&options);
    options.slice = 0;
    options.batch_statistics = false;
    check_slope(&options);
}

/* The second forward pass of a slice drops what the first dropped. */
static void test_slope_with_dropout(void **state)
{
    (void)state;
    al_step_options options = AL_STEP_OPTIONS_INIT;
    options.dropout = true;
    for (uint64_t key = 1; key <= 3; key++) {
        options.key = key;
        options.slice = 0;
        check_slope(&options);
        options.slice = 3;
        check_slope(&options);
    }
}

/* Dropout follows the key, and evaluation has none. */
static void test_dropout_key(void **state)
{
    (void)state;
    setup s;
    set_up(&s, 1);
    const double plain = step(&s);
    s.options.key = 5;
    assert_true(step(&s) == plain);
    s.options.dropout = true;
    const double dropped = step(&s);
    assert_true(dropped != plain && dropped == step(&s));
    s.options.key = 6;
    assert_true(step(&s) != dropped);
    tear_down(&s);
}

/* ---- adding up ---- */

static void test_accumulation(void **state)
{
    (void)state;
    setup s;
    set_up(&s, 1);
    double loss;
    float *once = gradient_of(&s, &loss);
    s.options.scale = 0.5f;
    al_trainable_clear_gradient(s.trainable);
    step(&s);
    assert_true(step(&s) == loss);
    assert_close(s.trainable, s.trainable->gradient, once, 1e-5);
    free(once);
    tear_down(&s);
}

/* ---- frozen parts ---- */

static void freeze(const setup *s, const char *prefix)
{
    for (size_t i = 0; i < s->trainable->n_entries; i++)
        if (strncmp(s->trainable->entries[i].name, prefix, strlen(prefix)) == 0)
            al_trainable_freeze(s->trainable, i, true);
}

/* What is frozen keeps what was in its gradient; what is not gets the same bits as ever. */
static void check_frozen(const char *const *prefixes, size_t slice)
{
    setup s;
    set_up(&s, 1);
    s.options.slice = slice;
    double loss, frozen_loss;
    float *whole = gradient_of(&s, &loss);
    for (size_t i = 0; prefixes[i]; i++)
        freeze(&s, prefixes[i]);
    for (size_t i = 0; i < s.trainable->size; i++)
        s.trainable->gradient[i] = 7.0f;
    float *partial = gradient_of(&s, &frozen_loss);
    assert_true(frozen_loss == loss);
    for (size_t e = 0; e < s.trainable->n_entries; e++) {
        const al_trainable_entry *entry = &s.trainable->entries[e];
        for (size_t i = entry->offset; !entry->buffer && i < entry->offset + entry->elements; i++)
            if (partial[i] != (entry->frozen ? 7.0f : whole[i]))
                fail_msg("%s frozen: %s is %g, was %g", prefixes[0], entry->name, (double)partial[i], (double)whole[i]);
    }
    free(partial);
    free(whole);
    tear_down(&s);
}

static void test_frozen(void **state)
{
    (void)state;
    static const char *const parts[][3] = {
        {"text_model."},
        {"vision_model."},
        {"text_model.", "vision_model."},
        {"text_model.embeddings", "vision_model.embeddings"},
        {"text_model.embeddings", "text_model.encoder.layer.0"},
        {"vision_model.embeddings", "vision_model.encoder.blocks.0"},
        {"text_model.encoder.layer.1.attention", "vision_model.encoder.blocks.2"},
        {"text_projection", "temperature"},
        {"text_projection.weight", "text_model.encoder.layer.0.attention.self.query.bias"},
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        const char *const prefixes[] = {parts[i][0], parts[i][1], NULL};
        check_frozen(prefixes, 0);
        check_frozen(prefixes, 4);
    }
}

/* ---- memory ---- */

/* A step of a fresh model in so much memory; the trainer's workspace, or 0 where it was refused: then nothing changed.
 */
static size_t step_in(size_t memory, double expected_loss, const al_trainable *expected)
{
    align_error err = ALIGN_ERROR_INIT;
    setup s;
    set_up(&s, 1);
    size_t workspace = 0;
    double loss;
    s.options.memory = memory;
    const align_status status = al_trainer_step(s.trainer, &s.in, &s.options, &loss, &err);
    if (status == ALIGN_OK) {
        workspace = al_trainer_workspace(s.trainer);
        assert_true(loss == expected_loss && workspace <= memory);
        assert_memory_equal(s.trainable->gradient, expected->gradient, expected->size * sizeof(float));
        assert_memory_equal(s.trainable->buffers, expected->buffers, expected->buffer_bytes);
    } else {
        assert_int_equal(status, ALIGN_ERROR_OUT_OF_MEMORY);
        assert_non_null(strstr(err.message, "bytes is needed"));
        for (size_t i = 0; i < expected->size; i++)
            assert_true(s.trainable->gradient[i] == 0.0f);
    }
    tear_down(&s);
    return workspace;
}

/* Less memory costs time and not a bit of the result; too little is refused. */
static void test_memory(void **state)
{
    (void)state;
    setup s;
    set_up(&s, 1);
    const double loss = step(&s);
    const size_t most = al_trainer_workspace(s.trainer);
    int fitted = 0;
    for (size_t need = most; (need = step_in(need - 1, loss, s.trainable)) != 0;)
        fitted++;
    assert_true(fitted >= 1);
    tear_down(&s);
}

/* A batch in slices takes the memory of a slice, whatever the batch. */
static void test_memory_of_slices(void **state)
{
    (void)state;
    size_t workspaces[2];
    for (size_t i = 0; i < 2; i++) {
        setup s;
        set_up(&s, 1);
        s.in = inputs_of(&s.pairs, 0, i == 0 ? 2 : PAIRS);
        s.options.slice = 2;
        step(&s);
        workspaces[i] = al_trainer_workspace(s.trainer);
        tear_down(&s);
    }
    assert_true(workspaces[1] < workspaces[0] + workspaces[0] / 8);
}

/* ---- threads ---- */

static void test_threads(void **state)
{
    (void)state;
    for (size_t slice = 0; slice <= 4; slice += 4) {
        setup one;
        set_up(&one, 1);
        one.options.dropout = true;
        one.options.slice = slice;
        const double loss = step(&one);
        for (int threads = 2; threads <= 4; threads++) {
            setup many;
            set_up(&many, threads);
            many.options = one.options;
            assert_true(step(&many) == loss);
            assert_memory_equal(many.trainable->gradient, one.trainable->gradient, one.trainable->size * sizeof(float));
            assert_memory_equal(many.trainable->buffers, one.trainable->buffers, one.trainable->buffer_bytes);
            tear_down(&many);
        }
        tear_down(&one);
    }
}

/* ---- what may not be ---- */

static void expect_error(const setup *s, align_status expected, const char *words)
{
    align_error err = ALIGN_ERROR_INIT;
    double loss;
    assert_int_equal(al_trainer_step(s->trainer, &s->in, &s->options, &loss, &err), expected);
    if (!strstr(err.message, words))
        fail_msg("%s: expected %s", err.message, words);
}

static void test_errors(void **state)
{
    (void)state;
    align_error err = ALIGN_ERROR_INIT;
    setup s;
    set_up(&s, 1);
    s.in = inputs_of(&s.pairs, 0, 2);
    s.in.pixel_values = inputs_of(&s.pairs, 0, 3).pixel_values;
    expect_error(&s, ALIGN_ERROR_INVALID_ARGUMENT, "2 texts and 3 pictures");
    s.in = inputs_of(&s.pairs, 0, 0);
    expect_error(&s, ALIGN_ERROR_INVALID_ARGUMENT, "at least one pair");
    s.in.pixel_values = (align_tensor){0};
    expect_error(&s, ALIGN_ERROR_INVALID_ARGUMENT, "pixel_values");
    s.in = inputs_of(&s.pairs, 0, 2);
    s.options.precision = ALIGN_PRECISION_INT8;
    expect_error(&s, ALIGN_ERROR_UNSUPPORTED, "f32 or bf16");
    s.options.precision = ALIGN_PRECISION_F32;
    s.in.pixel_values = align_tensor_view(ALIGN_F32, 4, (int64_t[]){2, CHANNELS, 8, 8}, s.pairs.pixels);
    s.options.slice = 1; /* 8 x 8 pixels come down to one */
    expect_error(&s, ALIGN_ERROR_INVALID_ARGUMENT,
                 "Expected more than 1 value per channel when training, got input size torch.Size([1, ");
    s.options.batch_statistics = false;
    step(&s);
    s.options.batch_statistics = true;
    s.options.slice = 0;
    step(&s);
    tear_down(&s);

    align_model *text = load(GOLDEN "tiny_text", ALIGN_TOWER_TEXT);
    al_trainable *trainable;
    al_trainer *trainer;
    assert_int_equal(al_trainable_new(&trainable, text, NULL), ALIGN_OK);
    assert_int_equal(al_trainer_new(&trainer, trainable, NULL, &err), ALIGN_ERROR_UNSUPPORTED);
    assert_null(trainer);
    al_trainable_free(trainable);
    align_model_free(text);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    setup s;
    set_up(&s, 1);
    al_trainer *trainer = NULL;
    align_status status;
    double loss;
    long n = 0;
    do {
        al_memory_fail_at(++n);
        status = al_trainer_new(&trainer, s.trainable, s.threads, NULL);
        if (status == ALIGN_OK)
            status = al_trainer_step(trainer, &s.in, &s.options, &loss, NULL);
        al_memory_fail_at(0);
        assert_true(status == ALIGN_OK || status == ALIGN_ERROR_OUT_OF_MEMORY);
        al_trainer_free(trainer);
        trainer = NULL;
    } while (status != ALIGN_OK);
    assert_true(n > 3);
    tear_down(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slices),
        cmocka_unit_test(test_running_statistics),
        cmocka_unit_test(test_slope),
        cmocka_unit_test(test_slope_with_dropout),
        cmocka_unit_test(test_dropout_key),
        cmocka_unit_test(test_accumulation),
        cmocka_unit_test(test_frozen),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_memory_of_slices),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
