/* test_shards.c: webdataset: tar files of every writer, samples in them, names that stand for many files, damage. */
#include "train/data_test.h"

#define SHARDS TEST_DATA "/train/"

static tar_file tar;

/* A shard of two samples whose captions begin with that. */
static void write_shard(const char *name, const char *caption)
{
    char text[64];
    tar.size = 0;
    for (int i = 0; i < 2; i++) {
        char member[64];
        snprintf(member, sizeof member, "%s/%d.png", caption, i);
        tar_add_picture(&tar, member, "rgb8.png");
        snprintf(member, sizeof member, "%s/%d.txt", caption, i);
        snprintf(text, sizeof text, "%s %d\n", caption, i);
        tar_add_text(&tar, member, text);
    }
    tar_write(&tar, name);
}

static void test_samples(void **state)
{
    (void)state;
    tar.size = 0;
    tar_add(&tar, '5', "data/", NULL, 0);
    tar_add_text(&tar, "data/__meta.txt", "not a sample");
    tar_add_text(&tar, "data/000.cls", "7");
    tar_add_text(&tar, "data/000.json", "{\"caption\": \"not this one\"}");
    tar_add_picture(&tar, "data/000.JPG", "420.jpg");
    tar_add_text(&tar, "data/000.txt", " a cat\n");
    tar_add_picture(&tar, "data/000.seg.png", "rgb8.png"); /* another extension, not .png */
    tar_add_picture(&tar, "data/001.png", "rgb8.png");
    tar_add_text(&tar, "data/001.json", "{\"key\": \"001\", \"caption\": [\"a dog\", \"the dog\"]}");
    tar_add_picture(&tar, "data/002.webp", "lossy.webp"); /* no caption */
    tar_add_text(&tar, "data/003.txt", "no picture");
    tar_add_picture(&tar, "data/004.png", "rgb8.png");
    tar_add_text(&tar, "data/004.json", "{\"caption\": ");
    tar_add_text(&tar, "data/.005.txt", "hidden");
    tar_add_picture(&tar, "data/005.gif", "plain.gif");
    tar_add_text(&tar, "data/005.txt", "a drawing");
    tar_add_text(&tar, "data/006", "no extension");
    align_dataset *d = open_data(tar_write(&tar, "a.tar"), NULL);
    assert_int_equal(align_dataset_count(d), 3);
    assert_pair(d, 0, "/a.tar: data/000.JPG", "a cat");
    assert_pair(d, 1, "/a.tar: data/001.png", "a dog|the dog");
    assert_pair(d, 2, "/a.tar: data/005.gif", "a drawing");
    assert_int_equal(align_dataset_skipped(d), 3);
    assert_skipped(d, 0, "a.tar: data/003", "no picture");
    assert_skipped(d, 1, "a.tar: data/004", "not JSON");
    assert_skipped(d, 2, "a.tar: data/002.webp", "no caption");
    align_image image, alone;
    assert_int_equal(align_dataset_image(d, 0, NULL, &image, NULL), ALIGN_OK);
    assert_int_equal(align_image_open(&alone, PICTURES "420.jpg", NULL, NULL), ALIGN_OK);
    assert_memory_equal(image.pixels, alone.pixels, (size_t)(alone.height * alone.width * 3));
    align_image_done(&image);
    align_image_done(&alone);
    align_dataset_free(d);
}

/* For an index, pictures are enough, even one; and where their bytes are is told. */
static void test_without_texts(void **state)
{
    (void)state;
    align_dataset_options options = ALIGN_DATASET_OPTIONS_INIT;
    align_data_place place;
    options.without_texts = true;
    tar.size = 0;
    tar_add_picture(&tar, "data/000.png", "rgb8.png");
    tar_add_text(&tar, "data/001.txt", "no picture");
    align_dataset *d = open_data(tar_write(&tar, "b.tar"), &options);
    assert_int_equal(align_dataset_count(d), 1);
    assert_int_equal(align_dataset_texts(d, 0), 0);
    align_dataset_place(d, 0, &place);
    assert_string_equal(place.file, in_scratch("b.tar"));
    assert_string_equal(place.member, "data/000.png");
    assert_int_equal(place.offset, 512);
    assert_memory_equal(tar.bytes + place.offset, "\x89PNG", 4);
    assert_int_equal(align_dataset_skipped(d), 1);
    align_dataset_free(d);
    tar_add_picture(&tar, "data/002.png", "rgb8.png");
    tar_add_text(&tar, "data/002.txt", "a picture");
    d = open_data(tar_write(&tar, "b.tar"), &options);
    assert_pair(d, 0, "/b.tar: data/000.png", "");
    assert_pair(d, 1, "/b.tar: data/002.png", "a picture");
    align_dataset_free(d);
    write_text("pairs.tsv", "a.png\tone\nb.png\t \n");
    d = open_data(in_scratch("pairs.tsv"), &options);
    align_dataset_place(d, 1, &place);
    assert_string_equal(place.file, in_scratch("b.png"));
    assert_string_equal(place.member, "");
    assert_true(place.offset == 0 && place.size == SIZE_MAX);
    align_dataset_free(d);
    tar.size = 0;
    tar_add_text(&tar, "data/001.txt", "no picture");
    assert_data_fails(tar_write(&tar, "b.tar"), &options, ALIGN_ERROR_FORMAT, "b.tar", "no pictures");
}

/* Python's tarfile wrote them: names of 120 characters, and one that is not ASCII. */
static void test_other_writers(void **state)
{
    (void)state;
    const char *const files[] = {"ustar.tar", "gnu.tar", "pax.tar"};
    for (int i = 0; i < 3; i++) {
        char path[512];
        snprintf(path, sizeof path, SHARDS "%s", files[i]);
        align_dataset *d = open_data(path, NULL);
        assert_int_equal(align_dataset_count(d), 3);
        assert_int_equal(align_dataset_skipped(d), 0);
        assert_pair(d, 0, ": short.png", "a short name");
        assert_pair(d, 1, "/0123456789012345678901234567890123456789.png", "a long name");
        assert_int_equal(strlen(strchr(align_dataset_picture(d, 1) + strlen(path), ' ') + 1), 124);
        assert_pair(d, 2, ": \xC3\xA9t\xC3\xA9.png", "summer");
        for (size_t k = 0; k < 3; k++) {
            align_image image;
            assert_int_equal(align_dataset_image(d, k, NULL, &image, NULL), ALIGN_OK);
            assert_int_equal(image.width, 3 + (int)k);
            align_image_done(&image);
        }
        align_dataset_free(d);
    }
}

static void test_names_of_many(void **state)
{
    (void)state;
    char pattern[600], folder[600];
    snprintf(folder, sizeof folder, "%s/shards", scratch);
    assert_int_equal(al_make_folder(folder, NULL), ALIGN_OK);
    write_shard("shards/b-08.tar", "b8");
    write_shard("shards/b-09.tar", "b9");
    write_shard("shards/b-10.tar", "b10");
    write_shard("shards/a-09.tar", "a9");
    write_shard("shards/a-10.tar", "a10");
    const struct {
        const char *pattern;
        size_t count;
        const char *first;
    } cases[] = {
        {"shards/b-{08..10}.tar", 6, "b8 0"},
        {"shards/{b,a}-{09..10}.tar", 8, "b9 0"},
        {"shards/?-{09,10}.tar", 8, "a9 0"},
        {"shards/*.tar", 10, "a9 0"},
        {"shards", 10, "a9 0"},
        {"shards/{a-10,b-08}.tar", 4, "a10 0"},
        {"shards/b-[0]8.tar", 2, "b8 0"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(pattern, sizeof pattern, "%s/%s", scratch, cases[i].pattern);
        align_dataset *d = open_data(pattern, NULL);
        assert_int_equal(align_dataset_count(d), cases[i].count);
        assert_string_equal(align_dataset_text(d, 0, 0), cases[i].first);
        align_dataset_free(d);
    }
    snprintf(pattern, sizeof pattern, "%s/shards/b-{08..11}.tar", scratch);
    assert_data_fails(pattern, NULL, ALIGN_ERROR_NOT_FOUND, "b-11.tar", "cannot open");
    snprintf(pattern, sizeof pattern, "%s/shards/c*.tar", scratch);
    assert_data_fails(pattern, NULL, ALIGN_ERROR_NOT_FOUND, "c*.tar", "no file");
    assert_data_fails("{0..999999}/{0..999999}.tar", NULL, ALIGN_ERROR_INVALID_ARGUMENT, ".tar", "more than");
    assert_data_fails("{9..1}.tar", NULL, ALIGN_ERROR_NOT_FOUND, "9..1.tar", "cannot open"); /* as a shell has it */
}

static void test_damage(void **state)
{
    (void)state;
    align_dataset_options o = ALIGN_DATASET_OPTIONS_INIT;
    write_shard("good.tar", "x");
    const size_t size = tar.size;

    write_scratch("cut.tar", tar.bytes, size - 512);
    assert_data_fails(in_scratch("cut.tar"), NULL, ALIGN_ERROR_FORMAT, "cut.tar: cut off", "0 are left");
    write_scratch("cut.tar", tar.bytes, size - 1024 + 100);
    assert_data_fails(in_scratch("cut.tar"), NULL, ALIGN_ERROR_FORMAT, "cut.tar: cut off", "the header");
    write_scratch("cut.tar", tar.bytes, size); /* no end mark: still whole */
    align_dataset_free(open_data(in_scratch("cut.tar"), NULL));

    tar.bytes[0] ^= 1;
    write_scratch("bad.tar", tar.bytes, size);
    assert_data_fails(in_scratch("bad.tar"), NULL, ALIGN_ERROR_FORMAT, "bad.tar", "no tar header at byte 0");
    tar.bytes[0] ^= 1;
    memcpy(tar.bytes + 124, "99999999999", 11); /* not octal */
    tar_seal(tar.bytes);
    write_scratch("bad.tar", tar.bytes, size);
    assert_data_fails(in_scratch("bad.tar"), NULL, ALIGN_ERROR_FORMAT, "bad.tar", "no tar header at byte 0");
    memset(tar.bytes + 124, 0xFF, 12); /* binary, and absurd */
    tar_seal(tar.bytes);
    write_scratch("bad.tar", tar.bytes, size);
    assert_data_fails(in_scratch("bad.tar"), NULL, ALIGN_ERROR_FORMAT, "bad.tar", "no tar header at byte 0");
    memcpy(tar.bytes + 124, "\x80\0\0\0\0\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 12);
    tar_seal(tar.bytes);
    write_scratch("bad.tar", tar.bytes, size);
    assert_data_fails(in_scratch("bad.tar"), NULL, ALIGN_ERROR_FORMAT, "bad.tar: cut off", "72057594037927935 bytes");

    const char *const records[] = {"x", "9999 path=a\n", "5 path=a\n", "12 path-abcd\n", "0 path=a\n", "12 size=9x\n"};
    for (size_t i = 0; i < sizeof records / sizeof *records; i++) {
        tar.size = 0;
        tar_add(&tar, 'x', "pax", records[i], strlen(records[i]));
        assert_data_fails(tar_write(&tar, "pax.tar"), NULL, ALIGN_ERROR_FORMAT, "pax.tar", "extended header");
    }
    o.format = ALIGN_DATA_WEBDATASET;
    assert_data_fails(write_text("zip.tar.gz", "\x1f\x8b..."), &o, ALIGN_ERROR_UNSUPPORTED, "zip.tar.gz", "gzip");
    assert_data_fails(write_text("none.tar", ""), NULL, ALIGN_ERROR_FORMAT, "none.tar", "empty file");
    assert_data_fails(write_text("text.tar", "this is not a tar file"), NULL, ALIGN_ERROR_FORMAT, "text.tar",
                      "cut off");
    tar.size = 0;
    assert_data_fails(tar_write(&tar, "nothing.tar"), NULL, ALIGN_ERROR_FORMAT, "nothing.tar", "0 pairs");
}

/* Where that is wanted, a damaged shard has what is whole before the damage, and those behind it are read. */
static void test_despite_damage(void **state)
{
    (void)state;
    align_dataset_options o = ALIGN_DATASET_OPTIONS_INIT;
    char pattern[600];
    o.despite_damage = true;
    write_shard("d-2.tar", "z");
    write_shard("d-1.tar", "x");
    write_scratch("d-1.tar", tar.bytes, tar.size - 512); /* the second caption is cut off */
    snprintf(pattern, sizeof pattern, "%s/d-{1,2}.tar", scratch);
    align_dataset *d = open_data(pattern, &o);
    assert_int_equal(align_dataset_count(d), 3);
    assert_pair(d, 0, "/d-1.tar: x/0.png", "x 0");
    assert_pair(d, 1, "/d-2.tar: z/0.png", "z 0");
    assert_non_null(strstr(align_dataset_damage(d, 0), "/d-1.tar: cut off: the member at byte"));
    assert_null(align_dataset_damage(d, 1));
    align_dataset_free(d);

    o.without_texts = true; /* a picture is whole though its caption is not */
    d = open_data(in_scratch("d-1.tar"), &o);
    assert_int_equal(align_dataset_count(d), 2);
    assert_pair(d, 1, "/d-1.tar: x/1.png", "");
    align_dataset_free(d);
    d = open_data(write_text("none.tar", ""), &o);
    assert_int_equal(align_dataset_count(d), 0);
    assert_non_null(strstr(align_dataset_damage(d, 0), "none.tar: an empty file"));
    align_dataset_free(d);
    tar.size = 0;
    d = open_data(tar_write(&tar, "nothing.tar"), &o);
    assert_int_equal(align_dataset_count(d), 0);
    assert_null(align_dataset_damage(d, 0));
    align_dataset_free(d);
    assert_data_fails(in_scratch("missing.tar"), &o, ALIGN_ERROR_NOT_FOUND, "missing.tar", "cannot open");
    o.format = ALIGN_DATA_WEBDATASET;
    assert_data_fails(write_text("zip.tar.gz", "\x1f\x8b..."), &o, ALIGN_ERROR_UNSUPPORTED, "zip.tar.gz", "gzip");
}

/* A shard that shrinks after it was opened. */
static void test_cut_later(void **state)
{
    (void)state;
    align_error err = ALIGN_ERROR_INIT;
    align_image image;
    write_shard("later.tar", "x");
    align_dataset *d = open_data(in_scratch("later.tar"), NULL);
    write_scratch("later.tar", tar.bytes, 700);
    assert_int_equal(align_dataset_image(d, 1, NULL, &image, &err), ALIGN_ERROR_FORMAT);
    assert_non_null(strstr(err.message, "later.tar: 700 bytes, too few"));
    align_dataset_free(d);
}

/* Every prefix and many changes of a tar file either open or fail with a message: nothing else. */
static void test_mutations(void **state)
{
    (void)state;
    char *bytes;
    size_t size;
    assert_int_equal(al_file_read(&bytes, &size, SHARDS "pax.tar", (size_t)1 << 20, NULL), ALIGN_OK);
    for (size_t i = 0; i < 600; i++) {
        const size_t at = i * 37 % 6000;
        const char before = bytes[at];
        bytes[at] = (char)(before ^ (1 << i % 8));
        write_scratch("mutant.tar", bytes, i % 3 ? size : at);
        bytes[at] = before;
        align_dataset *d = NULL;
        align_error err = ALIGN_ERROR_INIT;
        const align_status status = align_dataset_open(&d, in_scratch("mutant.tar"), NULL, &err);
        assert_true(status == ALIGN_OK ? d != NULL : err.message[0] != '\0');
        align_dataset_free(d);
    }
    al_free(bytes);
}

static void test_no_memory(void **state)
{
    (void)state;
    char pattern[600];
    write_shard("m-1.tar", "x");
    write_shard("m-2.tar", "y");
    tar.size = 0;
    tar_add_picture(&tar, "a.png", "rgb8.png");
    tar_add_text(&tar, "a.json", "{\"caption\": \"x\"}");
    tar_add_text(&tar, "b.json", "{\"caption\": \"x\"}");
    tar_write(&tar, "m-3.tar");
    snprintf(pattern, sizeof pattern, "%s/{m}-*{1,2,3}.tar", scratch);
    sweep_memory(pattern, NULL);
    align_dataset_options o = ALIGN_DATASET_OPTIONS_INIT;
    o.despite_damage = true;
    write_scratch("m-1.tar", tar.bytes, 700);
    sweep_memory(pattern, &o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samples),       cmocka_unit_test(test_other_writers),
        cmocka_unit_test(test_names_of_many), cmocka_unit_test(test_without_texts),
        cmocka_unit_test(test_damage),        cmocka_unit_test(test_despite_damage),
        cmocka_unit_test(test_cut_later),     cmocka_unit_test(test_mutations),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
