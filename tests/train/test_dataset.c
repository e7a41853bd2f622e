/* test_dataset.c: data sets of every format that holds text: which pairs they come to, and how the format is told. */
#include "train/data_test.h"

/* ---- TSV ---- */

static void test_tsv_without_names(void **state)
{
    (void)state;
    align_dataset *d =
        open_data(write_text("a.tsv", "one.png\ta cat\n/two.png\t a dog \tmore\r\none.png\tthe cat"), NULL);
    char expected[600];
    snprintf(expected, sizeof expected, "%s/one.png", scratch);
    assert_int_equal(align_dataset_count(d), 2);
    assert_string_equal(align_dataset_picture(d, 0), expected); /* beside the file */
    assert_pair(d, 0, "one.png", "a cat|the cat");              /* wherever in the file the texts are */
    assert_string_equal(align_dataset_picture(d, 1), "/two.png");
    assert_pair(d, 1, "/two.png", "a dog");
    assert_int_equal(align_dataset_skipped(d), 0);
    align_dataset_free(d);
}

static void test_tsv_with_names(void **state)
{
    (void)state;
    align_dataset_options o = ALIGN_DATASET_OPTIONS_INIT;
    const char *path = write_text("a.tsv", "\xEF\xBB\xBFsize\tTitle\tFilePath\tother\n"
                                           "1\ta \"cat\tone.png\tx\n\n2\ta, dog\ttwo.png\ty\n");
    align_dataset *d = open_data(path, NULL);
    assert_pair(d, 0, "one.png", "a \"cat"); /* no quotes in TSV */
    assert_pair(d, 1, "two.png", "a, dog");
    align_dataset_free(d);

    o.text_column = "OTHER";
    d = open_data(path, &o);
    assert_pair(d, 0, "one.png", "x");
    align_dataset_free(d);

    o.text_column = "1";
    o.picture_column = "3";
    o.pictures = "/pictures";
    d = open_data(path, &o);
    assert_string_equal(align_dataset_picture(d, 1), "/pictures/two.png");
    assert_pair(d, 1, "two.png", "2");
    align_dataset_free(d);
}

static void test_table_columns_that_are_not_there(void **state)
{
    (void)state;
    align_dataset_options o = ALIGN_DATASET_OPTIONS_INIT;
    const char *path = write_text("a.tsv", "image\tsound\none.png\tmeow\ntwo.png\twoof\n");
    assert_data_fails(path, NULL, ALIGN_ERROR_NOT_FOUND, "a.tsv, line 1", "no column of texts");
    o.text_column = "captain";
    assert_data_fails(path, &o, ALIGN_ERROR_NOT_FOUND, "a.tsv, line 1", "no column \"captain\"");
    o.text_column = "1";
    assert_data_fails(path, &o, ALIGN_ERROR_INVALID_ARGUMENT, "a.tsv", "column 1 cannot hold both");
    o.text_column = "9"; /* rows that are too short are skipped, here all of them */
    assert_data_fails(path, &o, ALIGN_ERROR_FORMAT, "0 pairs", "line 2: 2 columns, expected at least 9");
}

/* ---- CSV ---- */

static void test_csv_quotes(void **state)
{
    (void)state;
    align_dataset *d = open_data(write_text("a.csv", "filename,caption\r\n"
                                                     "\"one, first.png\",\"a \"\"cat\"\"\r\non two lines\"\r\n"
                                                     "two.png,plain \" quote\r\n"
                                                     "\"three.png\",\"\"\r\n"
                                                     ",nothing\r\n"
                                                     "four.png,last"),
                                 NULL);
    assert_int_equal(align_dataset_count(d), 3);
    assert_pair(d, 0, "one, first.png", "a \"cat\"\r\non two lines");
    assert_pair(d, 1, "two.png", "plain \" quote");
    assert_pair(d, 2, "four.png", "last");
    assert_int_equal(align_dataset_skipped(d), 2);
    assert_skipped(d, 0, "a.csv, line 5", "the caption is empty"); /* lines, not rows, are counted */
    assert_skipped(d, 1, "a.csv, line 6", "no path");
    align_dataset_free(d);
}

static void test_csv_damaged(void **state)
{
    (void)state;
    assert_data_fails(write_text("a.csv", "a.png,x\nb.png,\"y\nc.png,z\n"), NULL, ALIGN_ERROR_FORMAT, "a.csv, line 2",
                      "never closed");
    assert_data_fails(write_text("a.csv", "a.png,x\nb.png,\"y\" z\n"), NULL, ALIGN_ERROR_FORMAT, "a.csv, line 2",
                      "behind its closing quote");
}

static void test_captions_that_are_no_text(void **state)
{
    (void)state;
    const char bytes[] = "a.png\tgood\nb.png\tbad \xFF\nc.png\tnul \0 here\nd.png\t \t\ne.png\tgood\nf.png\n";
    write_scratch("a.tsv", bytes, sizeof bytes - 1);
    align_dataset *d = open_data(in_scratch("a.tsv"), NULL);
    assert_int_equal(align_dataset_count(d), 2);
    assert_int_equal(align_dataset_skipped(d), 4);
    assert_skipped(d, 0, "line 2", "not UTF-8");
    assert_skipped(d, 1, "line 3", "not UTF-8");
    assert_skipped(d, 2, "line 4", "empty");
    assert_skipped(d, 3, "line 6", "1 column, expected at least 2");
    const char *where, *reason;
    assert_false(align_dataset_skip_reason(d, 4, &where, &reason));
    align_dataset_free(d);
}

/* ---- JSON lines ---- */

static void test_json_lines(void **state)
{
    (void)state;
    const char *text = "{\"image\": \"one.png\", \"text\": \"a cat\", \"other\": 1}\n\n"
                       "{\"path\": \"two.png\", \"captions\": [\"a dog\", \"\", {\"raw\": \"the dog\"}, 5]}\r\n"
                       "{\"file_name\": \"three.png\"}\n"
                       "{\"caption\": \"nobody\"}\n"
                       "{\"image\": \"four.png\", \"caption\": null}\n"
                       "{\"image\": \"five.png\", \"caption\": {}}\n"
                       "{\"image\": \"one.png\", \"texts\": [\"again\"]}";
    for (int i = 0; i < 3; i++) { /* the name says it, or the content does */
        align_dataset *d = open_data(write_text(i == 0 ? "a.jsonl" : i == 1 ? "a.json" : "a.txt", text), NULL);
        assert_int_equal(align_dataset_count(d), 2);
        assert_pair(d, 0, "one.png", "a cat|again");
        assert_pair(d, 1, "two.png", "a dog|the dog");
        assert_int_equal(align_dataset_skipped(d), 6);
        assert_skipped(d, 0, "line 3", "empty");
        assert_skipped(d, 1, "line 3", "a caption that is no text");
        assert_skipped(d, 2, "line 4", "no caption");
        assert_skipped(d, 3, "line 5", "no path");
        assert_skipped(d, 4, "line 6", "no caption");
        assert_skipped(d, 5, "line 7", "a caption that is no text");
        align_dataset_free(d);
    }
}

static void test_json_lines_keys(void **state)
{
    (void)state;
    align_dataset_options o = ALIGN_DATASET_OPTIONS_INIT;
    o.picture_column = "src";
    o.text_column = "alt";
    align_dataset *d = open_data(write_text("a.jsonl", "{\"src\": \"1.png\", \"alt\": \"x\", \"text\": \"y\"}\n"
                                                       "{\"src\": \"2.png\", \"alt\": \"z\"}\n"),
                                 &o);
    assert_pair(d, 0, "1.png", "x");
    align_dataset_free(d);
    assert_data_fails(write_text("a.jsonl", "{\"image\": \"1\", \"text\": \"x\"}\n{\"image\": \"2\", \"te"), NULL,
                      ALIGN_ERROR_FORMAT, "a.jsonl, line 2", "not JSON");
    assert_data_fails(write_text("a.jsonl", "{}\n[]\n"), NULL, ALIGN_ERROR_FORMAT, "a.jsonl, line 2", "an object");
}

static void test_array_of_objects(void **state)
{
    (void)state;
    align_dataset *d = open_data(write_text("a.json", "[{\"image\": \"1.png\", \"caption\": \"x\"},\n"
                                                      " {\"image\": \"2.png\", \"caption\": [\"y\", \"z\"]}, 7]"),
                                 NULL);
    assert_int_equal(align_dataset_count(d), 2);
    assert_pair(d, 1, "2.png", "y|z");
    assert_skipped(d, 0, "a.json, object 2", "no path");
    align_dataset_free(d);
}

/* ---- COCO and Karpathy ---- */

#define COCO                                                                                                 \
    "{\"info\": {}, \"images\": [{\"id\": 9, \"file_name\": \"nine.jpg\"}, {\"id\": -4, \"file_name\": "     \
    "\"four.jpg\"},\n {\"id\": 5, \"file_name\": \"five.jpg\"}],\n\"annotations\": [{\"image_id\": -4, "     \
    "\"id\": 1, \"caption\": \"a\"}, {\"image_id\": 9, \"caption\": \"b\"}, {\"image_id\": 9, \"caption\": " \
    "\"c\\n\"}, {\"image_id\": 77, \"caption\": \"d\"}, {\"image_id\": -4}]}"

static void test_coco(void **state)
{
    (void)state;
    align_dataset_options o = ALIGN_DATASET_OPTIONS_INIT;
    o.pictures = "train2017/";
    align_dataset *d = open_data(write_text("captions.json", COCO), &o);
    assert_int_equal(align_dataset_count(d), 2);
    assert_string_equal(align_dataset_picture(d, 0), "train2017/nine.jpg");
    assert_pair(d, 0, "nine.jpg", "b|c");
    assert_pair(d, 1, "four.jpg", "a");
    assert_int_equal(align_dataset_skipped(d), 3);
    assert_skipped(d, 0, "captions.json, annotation 3", "no image 77");
    assert_skipped(d, 1, "captions.json, annotation 4", "no caption");
    assert_skipped(d, 2, "five.jpg", "no caption");
    align_dataset_free(d);
    o.split = "train";
    assert_data_fails(in_scratch("captions.json"), &o, ALIGN_ERROR_INVALID_ARGUMENT, "captions.json", "splits");
    assert_data_fails(write_text("c.json", "{\"images\": [{\"id\": \"1\"}], \"annotations\": []}"), NULL,
                      ALIGN_ERROR_FORMAT, "c.json: images[0]", "integer id");
    assert_data_fails(write_text("c.json", "{\"images\": [], \"annotations\": [{\"caption\": \"x\"}]}"), NULL,
                      ALIGN_ERROR_FORMAT, "c.json: annotations[0]", "integer image_id");
}

#define KARPATHY                                                                                                 \
    "{\"images\": [{\"filepath\": \"val2014\", \"filename\": \"1.jpg\", \"split\": \"test\", \"sentences\": "    \
    "[{\"raw\": \"a\", \"tokens\": []}, {\"raw\": \"b\"}]},\n{\"filename\": \"2.jpg\", \"split\": \"train\", "   \
    "\"sentences\": [{\"raw\": \"c\"}]}, {\"filename\": \"3.jpg\", \"split\": \"restval\", \"sentences\": "      \
    "[{\"raw\": \"d\"}]}, {\"filename\": \"4.jpg\", \"split\": \"train\", \"sentences\": [{\"raw\": \"e\"}]}], " \
    "\"dataset\": \"coco\"}"

static void test_karpathy(void **state)
{
    (void)state;
    align_dataset_options o = ALIGN_DATASET_OPTIONS_INIT;
    const char *path = write_text("dataset_coco.json", KARPATHY);
    align_dataset *d = open_data(path, NULL);
    assert_int_equal(align_dataset_count(d), 4);
    assert_pair(d, 0, "/val2014/1.jpg", "a|b");
    align_dataset_free(d);
    o.split = "train";
    d = open_data(path, &o);
    assert_int_equal(align_dataset_count(d), 2);
    assert_pair(d, 1, "4.jpg", "e");
    align_dataset_free(d);
    o.split = "restval+train";
    d = open_data(path, &o);
    assert_int_equal(align_dataset_count(d), 3);
    align_dataset_free(d);
    o.split = "test";
    assert_data_fails(path, &o, ALIGN_ERROR_FORMAT, "1 pair of", "at least 2");
    o.split = "tra";
    assert_data_fails(path, &o, ALIGN_ERROR_NOT_FOUND, "split \"tra\"", "there is \"");
    o.split = NULL;
    o.format = ALIGN_DATA_COCO;
    assert_data_fails(path, &o, ALIGN_ERROR_FORMAT, "dataset_coco.json", "\"annotations\"");
    assert_data_fails(write_text("k.json", "{\"images\": [{}]}"), NULL, ALIGN_ERROR_FORMAT, "k.json: images[0]",
                      "a filename");
}

/* ---- folders ---- */

static void test_folder(void **state)
{
    (void)state;
    char folder[600];
    snprintf(folder, sizeof folder, "%s/photos/deep", scratch);
    assert_int_equal(al_make_folder(folder, NULL), ALIGN_OK);
    copy_picture("rgb8.png", "photos/b.PNG");
    write_text("photos/b.txt", "a house\r\n\n  \na home\n");
    copy_picture("420.jpg", "photos/deep/a.x.jpg");
    write_text("photos/deep/a.x.txt", "deep");
    copy_picture("420.jpg", "photos/alone.jpeg");
    write_text("photos/.hidden.jpg", "");
    write_text("photos/notes.md", "");
    align_dataset *d = open_data(in_scratch("photos"), NULL);
    assert_int_equal(align_dataset_count(d), 2);
    assert_pair(d, 0, "photos/b.PNG", "a house|a home");
    assert_pair(d, 1, "photos/deep/a.x.jpg", "deep");
    assert_int_equal(align_dataset_skipped(d), 2);
    assert_skipped(d, 0, "alone.jpeg", "no .txt");
    assert_skipped(d, 1, "b.txt, line 3", "empty");
    align_image image;
    assert_int_equal(align_dataset_image(d, 1, NULL, &image, NULL), ALIGN_OK);
    assert_int_equal(image.channels, 3);
    align_image_done(&image);
    align_dataset_free(d);
    assert_data_fails(folder, NULL, ALIGN_ERROR_FORMAT, "1 pair of", "at least 2");
}

/* ---- all ---- */

static void test_nothing_there(void **state)
{
    (void)state;
    align_dataset_options o = ALIGN_DATASET_OPTIONS_INIT;
    assert_data_fails(in_scratch("absent.tsv"), NULL, ALIGN_ERROR_NOT_FOUND, "absent.tsv", "cannot open");
    assert_data_fails(in_scratch("absent"), NULL, ALIGN_ERROR_NOT_FOUND, "absent", "cannot open");
    assert_data_fails(write_text("empty.tsv", ""), NULL, ALIGN_ERROR_FORMAT, "empty.tsv", "0 pairs");
    assert_data_fails(write_text("empty.csv", "image,text\n"), NULL, ALIGN_ERROR_FORMAT, "empty.csv", "0 pairs");
    assert_data_fails(write_text("empty.jsonl", "\n"), NULL, ALIGN_ERROR_FORMAT, "empty.jsonl", "0 pairs");
    assert_data_fails(write_text("empty.json", ""), NULL, ALIGN_ERROR_FORMAT, "empty.json", "not JSON");
    assert_data_fails(write_text("odd.json", "3"), NULL, ALIGN_ERROR_FORMAT, "odd.json", "expected COCO");
    assert_data_fails(write_text("one.tsv", "a.png\tx\na.png\ty\n"), NULL, ALIGN_ERROR_FORMAT, "one.tsv", "1 pair of");
    assert_data_fails(write_text("strange", "no idea"), NULL, ALIGN_ERROR_FORMAT, "strange", "expected TSV");
    assert_data_fails(NULL, NULL, ALIGN_ERROR_INVALID_ARGUMENT, "no path", "");
    o.format = (align_data_format)99;
    assert_data_fails("x", &o, ALIGN_ERROR_INVALID_ARGUMENT, "99", "align_data_format");
    o = (align_dataset_options)ALIGN_DATASET_OPTIONS_INIT;
    o.split = "train";
    assert_data_fails(in_scratch("one.tsv"), &o, ALIGN_ERROR_INVALID_ARGUMENT, "one.tsv", "splits");
    align_dataset_free(NULL);
}

static void test_format_from_content(void **state)
{
    (void)state;
    align_dataset *d = open_data(write_text("tabs", "a.png\tx, y\nb.png\tz\n"), NULL);
    assert_pair(d, 0, "a.png", "x, y");
    align_dataset_free(d);
    d = open_data(write_text("commas", "a.png,\"x, y\"\nb.png,z\n"), NULL);
    assert_pair(d, 0, "a.png", "x, y");
    align_dataset_free(d);
    align_dataset_options o = ALIGN_DATASET_OPTIONS_INIT;
    o.format = ALIGN_DATA_TSV;
    d = open_data(write_text("odd.csv", "a.png\tx\nb.png\tz\n"), &o);
    assert_pair(d, 0, "a.png", "x");
    align_dataset_free(d);
}

static void test_many_pairs(void **state)
{
    (void)state;
    char *text = malloc(64 * 5000), *at = text;
    assert_non_null(text);
    for (int i = 0; i < 5000; i++) /* every picture twice */
        at += sprintf(at, "%d.png\ttext %d\n", i % 2500, i);
    align_dataset *d = open_data(write_text("many.tsv", text), NULL);
    assert_int_equal(align_dataset_count(d), 2500);
    assert_pair(d, 1234, "/1234.png", "text 1234|text 3734");
    align_dataset_free(d);
    at = text;
    for (int i = 0; i < 5000; i++)
        at += sprintf(at, i < 2 ? "%d.png\ttext\n" : "%d.png\t\n", i);
    d = open_data(write_text("many.tsv", text), NULL);
    const char *where, *reason;
    assert_int_equal(align_dataset_skipped(d), 4998);
    assert_true(align_dataset_skip_reason(d, ALIGN_DATASET_REASONS - 1, &where, &reason));
    assert_false(align_dataset_skip_reason(d, ALIGN_DATASET_REASONS, &where, &reason));
    align_dataset_free(d);
    free(text);
}

static void test_split(void **state)
{
    (void)state;
    align_dataset *parts[2][2];
    align_error err = ALIGN_ERROR_INIT;
    char text[4096], *at = text;
    for (int i = 0; i < 50; i++)
        at += sprintf(at, "%d.png\ttext %d\n%d.png\tmore %d\n", i, i, i, i);
    write_text("s.tsv", text);
    for (int i = 0; i < 2; i++) {
        parts[i][0] = open_data(in_scratch("s.tsv"), NULL);
        assert_int_equal(align_dataset_split(&parts[i][0], 0.2, 7 + (uint64_t)i, &parts[i][1], NULL), ALIGN_OK);
        assert_int_equal(align_dataset_count(parts[i][0]), 40);
        assert_int_equal(align_dataset_count(parts[i][1]), 10);
    }
    bool met[50] = {false}, same = true;
    for (int part = 0; part < 2; part++) {
        int last = -1;
        for (size_t i = 0; i < align_dataset_count(parts[0][part]); i++) {
            const int number = atoi(strrchr(align_dataset_picture(parts[0][part], i), '/') + 1);
            char texts[64];
            sprintf(texts, "text %d|more %d", number, number);
            assert_pair(parts[0][part], i, ".png", texts);
            assert_true(number > last && !met[number]); /* in the old order, and in one part only */
            met[last = number] = true;
            same =
                same && strcmp(align_dataset_picture(parts[0][part], i), align_dataset_picture(parts[1][part], i)) == 0;
        }
    }
    assert_false(same);
    align_dataset *rest = parts[0][0], *more = NULL;
    assert_int_equal(align_dataset_split(&parts[0][0], 1.5, 0, &more, &err), ALIGN_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "between 0 and 1"));
    assert_int_equal(align_dataset_split(&parts[0][0], 0.01, 0, &more, &err), ALIGN_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "takes 0 of 40"));
    assert_ptr_equal(parts[0][0], rest);
    for (int i = 0; i < 4; i++) /* a part outlives what it was split from */
        align_dataset_free(parts[i / 2][1 - i % 2]);
}

/* Each allocation in turn fails, until all succeed. */
static void test_no_memory(void **state)
{
    (void)state;
    sweep_memory(write_text("m.tsv", "image\ttext\na.png\tx\nb.png\t\nb.png\ty\n"), NULL);
    sweep_memory(write_text("m.csv", "a.png,x\nb.png,\"y\"\n"), NULL);
    sweep_memory(write_text("m.jsonl", "{\"image\": \"a\", \"text\": \"x\"}\n{\"image\": \"b\", \"text\": \"y\"}"),
                 NULL);
    sweep_memory(write_text("m.json", COCO), NULL);
    sweep_memory(write_text("k.json", KARPATHY), NULL);
    sweep_memory(in_scratch("photos"), NULL);
    for (long n = 1;; n++) {
        align_dataset *d = open_data(in_scratch("s.tsv"), NULL), *part = NULL;
        al_memory_fail_at(n);
        const align_status status = align_dataset_split(&d, 0.5, 0, &part, NULL);
        al_memory_fail_at(0);
        assert_int_equal(align_dataset_count(d), status == ALIGN_OK ? 25 : 50);
        align_dataset_free(d);
        align_dataset_free(part);
        if (status == ALIGN_OK)
            break;
        assert_int_equal(status, ALIGN_ERROR_OUT_OF_MEMORY);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tsv_without_names),
        cmocka_unit_test(test_tsv_with_names),
        cmocka_unit_test(test_table_columns_that_are_not_there),
        cmocka_unit_test(test_csv_quotes),
        cmocka_unit_test(test_csv_damaged),
        cmocka_unit_test(test_captions_that_are_no_text),
        cmocka_unit_test(test_json_lines),
        cmocka_unit_test(test_json_lines_keys),
        cmocka_unit_test(test_array_of_objects),
        cmocka_unit_test(test_coco),
        cmocka_unit_test(test_karpathy),
        cmocka_unit_test(test_folder),
        cmocka_unit_test(test_nothing_there),
        cmocka_unit_test(test_format_from_content),
        cmocka_unit_test(test_many_pairs),
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
