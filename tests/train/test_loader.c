/*
 * test_loader.c: batches: the processor's values to the bit, the same ones for any number of threads and ranks and from
 * any step on, each pair once an epoch, and pictures that cannot be read.
 */
#include "train/loader.h"

#include "base/random.h"
#include "train/augment.h"
#include "train/data_test.h"

#define HUB TEST_DATA "/hub"

enum { PAIRS = 23 };

static align_processor *processor;
static align_dataset *data, *broken_data;

static const char *const pictures[] = {"rgb8.png", "420.jpg", "exif6.jpg", "lossy.webp", "grey8.png", "plain.gif"};

/* PAIRS different files, each with two texts; in the second data set one is damaged and one absent. */
static int open_all(void **state)
{
    char text[8192], *at = text;
    if (scratch_open(state) != 0)
        return -1;
    for (int i = 0; i < PAIRS; i++) {
        char name[32];
        snprintf(name, sizeof name, "%d.pic", i);
        copy_picture(pictures[i % 6], name);
        at += sprintf(at, "%s\ta photo of %d\n%s\tthe image %d\n", name, i, name, i);
    }
    data = open_data(write_text("data.tsv", text), NULL);
    /* Picture 7 is not there, picture 3 not whole. */
    const char *const swaps[][2] = {
        {"\n7.pic\ta", "\nx.pic"}, {"\n7.pic\tt", "\nx.pic"}, {"\n3.pic\ta", "\ny.pic"}, {"\n3.pic\tt", "\ny.pic"}};
    for (int i = 0; i < 4; i++) {
        char *found = strstr(text, swaps[i][0]);
        assert_non_null(found);
        memcpy(found, swaps[i][1], strlen(swaps[i][1]));
    }
    write_text("y.pic", "\xff\xd8\xff...");
    broken_data = open_data(write_text("broken.tsv", text), NULL);
    return align_processor_from_pretrained(&processor, HUB, NULL) == ALIGN_OK ? 0 : -1;
}

static int close_all(void **state)
{
    align_dataset_free(data);
    align_dataset_free(broken_data);
    align_processor_free(processor);
    return scratch_close(state);
}

static al_loader_options options_of(size_t batch, int threads)
{
    al_loader_options o = AL_LOADER_OPTIONS_INIT;
    o.batch = batch;
    o.threads = threads;
    o.max_length = 12;
    o.seed = 5;
    return o;
}

static al_loader *open_loader(const align_dataset *d, const al_loader_options *o)
{
    align_error err = ALIGN_ERROR_INIT;
    al_loader *l;
    if (al_loader_new(&l, d, processor, o, &err) != ALIGN_OK)
        fail_msg("%s", err.message);
    return l;
}

static al_loader_batch next(al_loader *l)
{
    align_error err = ALIGN_ERROR_INIT;
    al_loader_batch batch;
    if (al_loader_next(l, &batch, &err) != ALIGN_OK)
        fail_msg("%s", err.message);
    return batch;
}

static size_t row_floats(const al_loader_batch *b)
{
    return 3 * (size_t)(b->height * b->width);
}

static uint64_t hash(uint64_t h, const void *data_, size_t size)
{
    const uint8_t *p = data_;
    for (size_t i = 0; i < size; i++)
        h = (h ^ p[i]) * UINT64_C(0x100000001B3);
    return h;
}

static uint64_t batch_hash(uint64_t h, const al_loader_batch *b)
{
    h = hash(h, b->pixel_values, b->count * row_floats(b) * sizeof(float));
    h = hash(h, b->input_ids, b->count * (size_t)b->length * sizeof(int64_t));
    h = hash(h, b->attention_mask, b->count * (size_t)b->length * sizeof(int64_t));
    return hash(h, b->pairs, b->count * sizeof *b->pairs);
}

static align_augmentation everything(void)
{
    return (align_augmentation){true, 0.2, 1, 0.75, 1.3, 0.5, 0.3, 0.3, 0.3, 0.1};
}

/* ---- what is in a batch ---- */

/* The reference's pixel_values and input_ids of a folder as the hub has them. */
static void test_reference(void **state)
{
    (void)state;
    align_tensors *golden = open_tensors(HUB "/golden.safetensors");
    const align_tensor *pixels = align_tensors_get(golden, "pixel_values");
    const align_tensor *ids = align_tensors_get(golden, "input_ids"),
                       *mask = align_tensors_get(golden, "attention_mask");
    assert_non_null(pixels);
    assert_non_null(ids);
    assert_non_null(mask);
    char texts[1024], lines[2048], *second;
    snprintf(texts, sizeof texts, "%s", align_tensors_metadata(golden, "texts"));
    second = strchr(texts, '\n');
    *second++ = '\0';
    *strchr(second, '\n') = '\0';
    char images[256], *image;
    snprintf(images, sizeof images, "%s", align_tensors_metadata(golden, "images"));
    image = strchr(images, '\n');
    *image++ = '\0';
    snprintf(lines, sizeof lines, HUB "/%s\t%s\n" HUB "/%s\t%s\n", images, texts, image, second);
    align_dataset *d = open_data(write_text("hub.tsv", lines), NULL);
    al_loader_options o = options_of(2, 2);
    o.shuffle = false;
    o.max_length = 64;
    al_loader *l = open_loader(d, &o);
    const al_loader_batch b = next(l);
    assert_int_equal(b.count, 2);
    assert_int_equal(b.height, pixels->shape[2]);
    assert_int_equal(b.width, pixels->shape[3]);
    assert_memory_equal(b.pixel_values, pixels->data, 2 * row_floats(&b) * sizeof(float));
    assert_memory_equal(b.input_ids, ids->data, 2 * 64 * sizeof(int64_t));
    assert_memory_equal(b.attention_mask, mask->data, 2 * 64 * sizeof(int64_t));
    al_loader_free(l);
    align_dataset_free(d);
    align_tensors_free(golden);
}

/* Without augmentation, every row is what AlignProcessor makes of the picture and one of its texts. */
static void test_rows_are_the_processors(void **state)
{
    (void)state;
    al_loader_options o = options_of(5, 3);
    al_loader *l = open_loader(data, &o);
    bool second_text = false;
    for (int step = 0; step < 8; step++) {
        const al_loader_batch b = next(l);
        assert_int_equal(b.step, step);
        assert_int_equal(b.count, 5);
        for (size_t row = 0; row < b.count; row++) {
            const size_t pair = b.pairs[row];
            align_image image;
            align_tensors *expected[2];
            align_encode_options encode = ALIGN_ENCODE_OPTIONS_INIT;
            encode.truncation = ALIGN_TRUNCATE_LONGEST_FIRST;
            encode.max_length = 12;
            assert_int_equal(align_dataset_image(data, pair, NULL, &image, NULL), ALIGN_OK);
            for (size_t k = 0; k < 2; k++) {
                const char *text = align_dataset_text(data, pair, k);
                assert_int_equal(
                    align_processor_call(processor, &text, NULL, 1, &image, 1, &encode, &expected[k], NULL), ALIGN_OK);
            }
            const void *pixels = align_tensors_get(expected[0], "pixel_values")->data;
            assert_memory_equal(b.pixel_values + row * row_floats(&b), pixels, row_floats(&b) * sizeof(float));
            const void *ids = b.input_ids + row * 12;
            const size_t k = memcmp(ids, align_tensors_get(expected[0], "input_ids")->data, 12 * sizeof(int64_t)) != 0;
            assert_memory_equal(ids, align_tensors_get(expected[k], "input_ids")->data, 12 * sizeof(int64_t));
            assert_memory_equal(b.attention_mask + row * 12, align_tensors_get(expected[k], "attention_mask")->data,
                                12 * sizeof(int64_t));
            second_text = second_text || k == 1;
            align_tensors_free(expected[0]);
            align_tensors_free(expected[1]);
            align_image_done(&image);
        }
    }
    assert_true(second_text);
    al_loader_free(l);
}

/* ---- the order ---- */

static void count_epoch(const al_loader_options *o, uint64_t epoch, size_t *times)
{
    al_loader *l = open_loader(data, o);
    const uint64_t steps = al_loader_steps_per_epoch(l);
    al_loader_seek(l, epoch * steps);
    for (uint64_t i = 0; i < steps; i++) {
        const al_loader_batch b = next(l);
        assert_int_equal(b.epoch, epoch);
        for (size_t row = 0; row < b.count; row++)
            times[b.pairs[row]]++;
    }
    al_loader_free(l);
}

static void test_epochs(void **state)
{
    (void)state;
    al_loader_options o = options_of(5, 2);
    for (int all = 0; all < 2; all++)
        for (int drop = 0; drop < 2; drop++) {
            size_t times[PAIRS] = {0}, sum = 0, most = 0;
            o.all_texts = all;
            o.drop_last = drop;
            count_epoch(&o, 3, times);
            for (size_t i = 0; i < PAIRS; i++) {
                sum += times[i];
                most = times[i] > most ? times[i] : most;
            }
            const size_t items = all ? 2 * PAIRS : PAIRS;
            assert_int_equal(sum, drop ? items - items % 5 : items);
            assert_int_equal(most, all ? 2 : 1);
        }
}

static void test_order_of_the_data(void **state)
{
    (void)state;
    al_loader_options o = options_of(10, 1);
    o.shuffle = o.drop_last = false;
    al_loader *l = open_loader(data, &o);
    assert_int_equal(al_loader_steps_per_epoch(l), 3);
    for (size_t i = 0, step = 0; step < 3; step++) {
        const al_loader_batch b = next(l);
        assert_int_equal(b.total, step < 2 ? 10 : 3);
        for (size_t row = 0; row < b.count; row++)
            assert_int_equal(b.pairs[row], i++);
    }
    assert_int_equal(next(l).epoch, 1);
    al_loader_free(l);
}

static void test_seeds_and_epochs_differ(void **state)
{
    (void)state;
    al_loader_options o = options_of(PAIRS, 0);
    uint64_t found[3];
    for (int i = 0; i < 3; i++) {
        o.seed = i == 2 ? 6 : 5;
        al_loader *l = open_loader(data, &o);
        al_loader_seek(l, i == 1);
        const al_loader_batch b = next(l);
        found[i] = hash(0, b.pairs, sizeof *b.pairs * b.count);
        al_loader_free(l);
    }
    assert_true(found[0] != found[1] && found[0] != found[2] && found[1] != found[2]);
}

/* ---- the same batches however they come about ---- */

enum { STEPS = 11 };

static void hash_steps(const align_dataset *d, const al_loader_options *o, uint64_t hashes[STEPS])
{
    al_loader *l = open_loader(d, o);
    for (int i = 0; i < STEPS; i++) {
        const al_loader_batch b = next(l);
        hashes[i] = batch_hash(1, &b);
    }
    al_loader_free(l);
}

static void test_threads_and_caches_change_nothing(void **state)
{
    (void)state;
    const align_dataset *const sets[] = {data, broken_data};
    for (int varied = 0; varied < 2; varied++)
        for (int set = 0; set < 2; set++) {
            uint64_t expected[STEPS], found[STEPS];
            al_loader_options o = options_of(6, 0);
            if (varied)
                o.augmentation = everything();
            hash_steps(sets[set], &o, expected);
            const struct {
                int threads;
                size_t ahead, cache;
            } cases[] = {{1, 0, 0}, {2, 1, 0}, {5, 3, 0}, {16, 2, 0}, {0, 0, 1 << 20}, {4, 2, 1 << 20}, {4, 2, 2000}};
            for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
                o.threads = cases[i].threads;
                o.ahead = cases[i].ahead;
                o.cache = cases[i].cache;
                hash_steps(sets[set], &o, found);
                assert_memory_equal(found, expected, sizeof expected);
            }
        }
}

static void test_seek(void **state)
{
    (void)state;
    uint64_t expected[STEPS];
    al_loader_options o = options_of(6, 3);
    o.augmentation = everything();
    hash_steps(data, &o, expected);
    al_loader *l = open_loader(data, &o);
    const int steps[] = {4, 0, 10, 10, 3, 7};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        al_loader_seek(l, (uint64_t)steps[i]);
        for (int step = steps[i]; step < STEPS && step < steps[i] + 2; step++) {
            const al_loader_batch b = next(l);
            assert_int_equal(b.step, step);
            assert_true(batch_hash(1, &b) == expected[step]);
        }
    }
    al_loader_free(l);
}

/* The rows of all ranks, one behind the other, are the batch of one rank. */
static void test_ranks(void **state)
{
    (void)state;
    al_loader_options o = options_of(7, 0);
    o.drop_last = false;
    o.augmentation = everything();
    al_loader *whole = open_loader(broken_data, &o);
    for (int ranks = 2; ranks <= 9; ranks += 3) { /* more ranks than rows, too */
        al_loader *parts[9];
        o.ranks = ranks;
        for (o.rank = 0; o.rank < ranks; o.rank++) {
            o.threads = o.rank % 3;
            parts[o.rank] = open_loader(broken_data, &o);
        }
        al_loader_seek(whole, 0);
        for (int step = 0; step < 9; step++) {
            const al_loader_batch all = next(whole);
            size_t rows = 0;
            for (int rank = 0; rank < ranks; rank++) {
                const al_loader_batch b = next(parts[rank]);
                assert_int_equal(b.total, all.count);
                assert_int_equal(b.first, rows);
                assert_memory_equal(b.pixel_values, all.pixel_values + rows * row_floats(&all),
                                    b.count * row_floats(&b) * sizeof(float));
                assert_memory_equal(b.input_ids, all.input_ids + rows * 12, b.count * 12 * sizeof(int64_t));
                assert_memory_equal(b.pairs, all.pairs + rows, b.count * sizeof *b.pairs);
                rows += b.count;
            }
            assert_int_equal(rows, all.count);
        }
        for (int rank = 0; rank < ranks; rank++)
            al_loader_free(parts[rank]);
    }
    al_loader_free(whole);
}

/* ---- augmentation ---- */

static void test_variants(void **state)
{
    (void)state;
    al_loader_options o = options_of(PAIRS, 2);
    o.shuffle = false;
    uint64_t plain[PAIRS], first[PAIRS];
    size_t same = 0;
    for (int varied = 0; varied < 2; varied++) {
        if (varied)
            o.augmentation.flip = 0.5;
        al_loader *l = open_loader(data, &o);
        for (int epoch = 0; epoch < 2; epoch++) {
            const al_loader_batch b = next(l);
            for (size_t i = 0; i < PAIRS; i++) {
                const uint64_t h = hash(0, b.pixel_values + i * row_floats(&b), row_floats(&b) * sizeof(float));
                if (!varied && epoch == 0)
                    plain[i] = h;
                else if (!varied)
                    assert_true(h == plain[i]); /* each epoch the same */
                else if (epoch == 0)
                    same += (first[i] = h) == plain[i];
                else
                    same += h == first[i];
            }
        }
        al_loader_free(l);
    }
    assert_in_range(same, 10, 36); /* of 46, half */
}

/* ---- pictures that cannot be read ---- */

static void test_broken_pictures(void **state)
{
    (void)state;
    al_loader_options o = options_of(6, 4);
    size_t times[PAIRS] = {0};
    const char *where, *reason;
    al_loader *l = open_loader(broken_data, &o);
    for (int i = 0; i < 6; i++) { /* two epochs */
        const al_loader_batch b = next(l);
        assert_int_equal(b.count, 6);
        for (size_t row = 0; row < 6; row++) {
            times[b.pairs[row]]++;
            for (size_t other = 0; other < row; other++)
                assert_int_not_equal(b.pairs[row], b.pairs[other]); /* a stand-in is not twice in a batch */
        }
    }
    assert_int_equal(times[3] + times[7], 0);
    assert_int_equal(al_loader_skipped(l), 2);
    assert_true(al_loader_skip_reason(l, 0, &where, &reason));
    const bool cut_first = strstr(where, "y.pic");
    assert_non_null(strstr(reason, cut_first ? "JPEG" : "cannot open"));
    assert_null(strstr(reason, ".pic: ")); /* the name is said once */
    assert_true(al_loader_skip_reason(l, 1, &where, &reason));
    assert_non_null(strstr(where, cut_first ? "x.pic" : "y.pic"));
    assert_false(al_loader_skip_reason(l, 2, &where, &reason));
    al_loader_free(l);
}

static void test_no_picture_at_all(void **state)
{
    (void)state;
    align_error err = ALIGN_ERROR_INIT;
    al_loader_batch b;
    align_dataset *d = open_data(write_text("gone.tsv", "gone1.png\ta\ngone2.png\tb\ngone3.png\tc\n"), NULL);
    for (int threads = 0; threads < 4; threads++) {
        al_loader_options o = options_of(2, threads);
        al_loader *l = open_loader(d, &o);
        assert_int_equal(al_loader_next(l, &b, &err), ALIGN_ERROR_FORMAT);
        assert_non_null(strstr(err.message, "none of 3 pictures can be read"));
        assert_non_null(strstr(err.message, "cannot open"));
        assert_int_equal(al_loader_next(l, &b, &err), ALIGN_ERROR_FORMAT);
        assert_int_equal(al_loader_skipped(l), 3);
        al_loader_free(l);
    }
    align_dataset_free(d);
}

/* ---- options ---- */

static void refuse(const al_loader_options *o, align_status status, const char *text)
{
    align_error err = ALIGN_ERROR_INIT;
    al_loader *l;
    const align_status found = al_loader_new(&l, data, processor, o, &err);
    assert_null(l);
    if (found != status || !strstr(err.message, text))
        fail_msg("expected \"%s\", found \"%s\"", text, err.message);
}

static void test_options(void **state)
{
    (void)state;
    al_loader_options o = options_of(0, 0);
    refuse(&o, ALIGN_ERROR_INVALID_ARGUMENT, "batch: expected at least 1");
    o = options_of(PAIRS + 1, 0);
    refuse(&o, ALIGN_ERROR_INVALID_ARGUMENT, "24 pairs are more than the 23");
    o = options_of(4, -1);
    refuse(&o, ALIGN_ERROR_INVALID_ARGUMENT, "loader threads: -1");
    o = options_of(4, 0);
    o.rank = 2;
    o.ranks = 2;
    refuse(&o, ALIGN_ERROR_INVALID_ARGUMENT, "rank: 2 is not in 0..1");
    o = options_of(4, 0);
    o.ahead = 1000;
    refuse(&o, ALIGN_ERROR_INVALID_ARGUMENT, "batches ahead");
    o = options_of(4, 0);
    o.max_length = 0;
    refuse(&o, ALIGN_ERROR_INVALID_ARGUMENT, "max_length");
    o.max_length = 1;
    refuse(&o, ALIGN_ERROR_INVALID_ARGUMENT, "");
    o = options_of(4, 0);
    o.augmentation.hue = 1;
    refuse(&o, ALIGN_ERROR_INVALID_ARGUMENT, "hue");
    o = options_of(SIZE_MAX / 8, 0);
    o.drop_last = false;
    refuse(&o, ALIGN_ERROR_OUT_OF_MEMORY, "out of memory");
    al_loader_free(NULL);
}

/* Each allocation in turn fails; a batch that failed for it is no picture skipped. */
static void test_no_memory(void **state)
{
    (void)state;
    al_loader_options o = options_of(3, 0);
    o.augmentation = everything();
    o.cache = 1 << 20;
    long n = 1;
    for (align_status status = ALIGN_ERROR_OUT_OF_MEMORY; status != ALIGN_OK; n++) {
        al_loader *l;
        al_loader_batch b;
        al_memory_fail_at(n);
        status = al_loader_new(&l, data, processor, &o, NULL);
        if (status == ALIGN_OK)
            status = al_loader_next(l, &b, NULL);
        al_memory_fail_at(0);
        assert_true(status == ALIGN_OK || status == ALIGN_ERROR_OUT_OF_MEMORY);
        if (l)
            assert_int_equal(al_loader_skipped(l), 0);
        al_loader_free(l);
    }
    assert_true(n > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reference),
        cmocka_unit_test(test_rows_are_the_processors),
        cmocka_unit_test(test_epochs),
        cmocka_unit_test(test_order_of_the_data),
        cmocka_unit_test(test_seeds_and_epochs_differ),
        cmocka_unit_test(test_threads_and_caches_change_nothing),
        cmocka_unit_test(test_seek),
        cmocka_unit_test(test_ranks),
        cmocka_unit_test(test_variants),
        cmocka_unit_test(test_broken_pictures),
        cmocka_unit_test(test_no_picture_at_all),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
