/*
 * index_cases.h: what holds of every index, wherever it lives. A test program says with fresh_store where one may be
 * made, and runs INDEX_CASES.
 */
#ifndef INDEX_CASES_H
#define INDEX_CASES_H
#include "search/query_cases.h"

/* ---- items ---- */

static void assert_same_item(const align_item *a, const align_item *b)
{
    assert_int_equal(a->id, b->id);
    assert_int_equal(a->kind, b->kind);
    assert_string_equal(a->path ? a->path : "", b->path ? b->path : "");
    assert_string_equal(a->member ? a->member : "", b->member ? b->member : "");
    assert_string_equal(a->text ? a->text : "", b->text ? b->text : "");
    assert_int_equal(a->size, b->size);
    assert_int_equal(a->modified, b->modified);
    assert_true(a->taken == b->taken);
    assert_int_equal(a->width, b->width);
    assert_int_equal(a->height, b->height);
    assert_memory_equal(a->hash, b->hash, ALIGN_HASH_SIZE);
}

static void assert_found(align_index *index, const align_item *wanted)
{
    align_item item;
    bool found;
    assert_done(align_index_find(index, wanted->path, wanted->member, &item, &found, &err));
    assert_true(found);
    assert_same_item(&item, wanted);
    assert_done(align_index_item(index, wanted->id, &item, &found, &err));
    assert_true(found);
    assert_same_item(&item, wanted);
}

static void assert_missing(align_index *index, const char *path, const char *member)
{
    align_item item;
    bool found;
    assert_done(align_index_find(index, path, member, &item, &found, &err));
    assert_false(found);
}

static void items_are_kept(void **state)
{
    (void)state;
    const char *where = fresh_store();
    align_index *index = open_index(where, true);
    static const char *const paths[] = {"/photos/plain.jpg",        "/photos/two\nlines\t.jpg",
                                        "/photos/\xff\xfe\x80.jpg", "relative 'quoted\" \\ %s.jpg",
                                        "/photos/\xc3\xa9.jpg",     "\x01"};
    enum { COUNT = sizeof paths / sizeof *paths };
    sample samples[COUNT + 1];
    for (size_t i = 0; i < COUNT; i++)
        make_sample(&samples[i], i, paths[i]);
    make_sample(&samples[COUNT], COUNT, paths[0]);
    align_item *full = &samples[COUNT].item;
    full->kind = ALIGN_ITEM_TEXT;
    full->member = "inside/\xff.jpg";
    full->text = "two dogs \xf0\x9f\x90\xb6\nin 'snow'";
    full->size = INT64_C(1) << 40;
    full->modified = INT64_C(1700000000123456789);
    full->taken = -1;
    full->width = 4000;
    full->height = 3000;
    align_content_hash("abc", 3, full->hash);
    for (size_t i = 0; i <= COUNT; i++)
        samples[i].item.id = add_sample(index, &samples[i]);
    for (int again = 0; again < 2; again++) {
        align_hits hits;
        for (size_t i = 0; i <= COUNT; i++) {
            assert_int_equal(samples[i].item.id, i + 1);
            assert_found(index, &samples[i].item);
            assert_done(align_index_query(index, samples[i].vector, 1, NULL, &hits, &err));
            assert_same_item(&hits.items[0], &samples[i].item);
            align_hits_done(&hits);
        }
        assert_missing(index, "/photos", NULL);
        assert_missing(index, "/photos/plain.jp", NULL);
        assert_missing(index, "/photos/plain.jpg", "inside/");
        assert_int_equal(info_of(index).images, COUNT);
        assert_int_equal(info_of(index).texts, 1);
        assert_int_equal(info_of(index).width, WIDTH);
        assert_string_equal(info_of(index).model, MODEL);
        align_index_close(index);
        index = open_index(where, false);
    }
    align_index_close(index);
}

static void the_same_path_is_replaced(void **state)
{
    (void)state;
    align_index *index = fresh_index();
    sample one;
    align_hits hits;
    float kept[WIDTH];
    add_many(index, 1, 3);
    make_sample(&one, 99, "/photos/000002.jpg");
    one.item.kind = ALIGN_ITEM_TEXT;
    one.item.text = "new";
    one.item.id = add_sample(index, &one);
    assert_int_equal(one.item.id, 2);
    assert_found(index, &one.item);
    assert_done(align_index_vector(index, 2, kept, &err));
    assert_true(score_of(one.vector, kept) > 0.999f);
    assert_done(align_index_query(index, one.vector, 1, NULL, &hits, &err));
    assert_int_equal(hits.offsets[1], 3);
    assert_same_item(&hits.items[0], &one.item);
    align_hits_done(&hits);
    assert_int_equal(info_of(index).images, 2);
    assert_int_equal(info_of(index).texts, 1);
    /* Twice in one call: the later one stays. */
    sample twice[2];
    make_sample(&twice[0], 1, "/twice");
    make_sample(&twice[1], 2, "/twice");
    twice[1].item.text = "second";
    const align_item items[] = {twice[0].item, twice[1].item};
    int64_t ids[2];
    float vectors[2 * WIDTH];
    memcpy(vectors, twice[0].vector, sizeof twice[0].vector);
    memcpy(vectors + WIDTH, twice[1].vector, sizeof twice[1].vector);
    assert_done(align_index_add(index, items, vectors, 2, ids, &err));
    assert_int_equal(ids[0], ids[1]);
    twice[1].item.id = ids[0];
    assert_found(index, &twice[1].item);
    align_index_close(index);
}

static void items_move(void **state)
{
    (void)state;
    align_index *index = fresh_index();
    align_item items[2];
    bool found;
    float before[WIDTH], after[WIDTH];
    add_many(index, 1, 4);
    assert_done(align_index_vector(index, 2, before, &err));
    /* Two change places, at once. */
    for (int i = 0; i < 2; i++) {
        items[i] = (align_item)ALIGN_ITEM_INIT;
        items[i].id = i + 1;
        items[i].path = i ? "/photos/000001.jpg" : "/photos/000002.jpg";
        items[i].modified = 5;
    }
    assert_done(align_index_update(index, items, 2, &err));
    assert_found(index, &items[0]);
    assert_found(index, &items[1]);
    assert_done(align_index_vector(index, 2, after, &err));
    assert_memory_equal(before, after, sizeof before);
    /* Another's place is taken. */
    items[0].path = "/photos/000003.jpg";
    assert_done(align_index_update(index, items, 1, &err));
    assert_found(index, &items[0]);
    assert_int_equal(info_of(index).images, 3);
    /* One that is not there: nothing changes. */
    items[0].path = "/elsewhere";
    items[1].id = 3;
    assert_refused(align_index_update(index, items, 2, &err), ALIGN_ERROR_NOT_FOUND, "3");
    assert_missing(index, "/elsewhere", NULL);
    align_item item;
    assert_done(align_index_find(index, "/photos/000003.jpg", "", &item, &found, &err));
    assert_true(found);
    align_index_close(index);
}

static void items_go(void **state)
{
    (void)state;
    align_index *index = fresh_index();
    const int64_t ids[] = {3, 1, 3, 99, -1};
    size_t removed = 99;
    float query[WIDTH], kept[WIDTH];
    align_query_options options = ALIGN_QUERY_OPTIONS_INIT;
    add_many(index, 1, 6);
    assert_done(align_index_remove(index, ids, 5, &removed, &err));
    assert_int_equal(removed, 2);
    assert_done(align_index_remove(index, ids, 5, &removed, &err));
    assert_int_equal(removed, 0);
    assert_done(align_index_remove(index, NULL, 0, NULL, &err));
    assert_missing(index, "/photos/000003.jpg", NULL);
    align_item gone;
    bool found;
    assert_done(align_index_item(index, 3, &gone, &found, &err));
    assert_false(found);
    assert_done(align_index_item(index, INT64_MIN, &gone, &found, &err));
    assert_false(found);
    assert_refused(align_index_vector(index, 3, kept, &err), ALIGN_ERROR_NOT_FOUND, "3");
    assert_int_equal(info_of(index).images, 4);
    align_hits before, after;
    make_vector(1, query);
    assert_done(align_index_query(index, query, 1, &options, &before, &err));
    assert_int_equal(before.offsets[1], 4);
    assert_done(align_index_vacuum(index, &err));
    assert_int_equal(info_of(index).holes, 0);
    assert_done(align_index_query(index, query, 1, &options, &after, &err));
    assert_int_equal(after.offsets[1], 4);
    for (size_t i = 0; i < 4; i++) {
        assert_same_item(&before.items[i], &after.items[i]);
        assert_true(before.scores[i] == after.scores[i]);
    }
    align_hits_done(&before);
    align_hits_done(&after);
    /* An id is not given again. */
    sample one;
    make_sample(&one, 9, "/new");
    const int64_t six = 6;
    assert_done(align_index_remove(index, &six, 1, NULL, &err));
    assert_int_equal(add_sample(index, &one), 7);
    align_index_close(index);
}

/* ---- filters and listing ---- */

static void expect_ids(align_index *index, const align_filter *filter, align_item_order order, const char *wanted)
{
    align_cursor *cursor;
    align_item item;
    bool found;
    char ids[256] = "";
    float vector[WIDTH], kept[WIDTH];
    assert_done(align_cursor_open(&cursor, index, filter, order, &err));
    for (;;) {
        assert_done(align_cursor_next(cursor, &item, vector, &found, &err));
        if (!found)
            break;
        snprintf(ids + strlen(ids), sizeof ids - strlen(ids), "%" PRId64 " ", item.id);
        assert_done(align_index_vector(index, item.id, kept, &err));
        assert_memory_equal(vector, kept, sizeof kept);
    }
    assert_done(align_cursor_next(cursor, &item, NULL, &found, &err));
    assert_false(found);
    align_cursor_close(cursor);
    assert_string_equal(ids, wanted);
}

/* Both ways to ask: by listing, and by a query. */
static void expect(align_index *index, const align_filter *filter, const char *wanted)
{
    bool among[16] = {false};
    float query[WIDTH];
    align_query_options options = ALIGN_QUERY_OPTIONS_INIT;
    options.filter = *filter;
    char *copy = strdup(wanted);
    for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
        among[atoi(word) - 1] = true;
    free(copy);
    expect_ids(index, filter, ALIGN_ORDER_ID, wanted);
    make_vector(4242, query);
    assert_nearest(index, query, &options, 9, among);
}

static align_index *index_for_filters(void)
{
    static const struct {
        const char *path, *member;
        align_item_kind kind;
        int64_t taken;
    } rows[] = {
        {"/a/b/1.jpg", "", ALIGN_ITEM_IMAGE, 100},      {"/a/b/c/2.jpg", "", ALIGN_ITEM_IMAGE, 300},
        {"/a/b.jpg", "", ALIGN_ITEM_IMAGE, INT64_MIN},  {"/a/b-c/3.jpg", "", ALIGN_ITEM_IMAGE, 200},
        {"/a/b0/4.jpg", "", ALIGN_ITEM_IMAGE, 300},     {"/a/b", "z.jpg", ALIGN_ITEM_IMAGE, -50},
        {"/a/b", "a.jpg", ALIGN_ITEM_IMAGE, INT64_MIN}, {"captions.tsv", "7", ALIGN_ITEM_TEXT, INT64_MIN},
        {"/a/B/5.jpg", "", ALIGN_ITEM_TEXT, 250},
    };
    align_index *index = fresh_index();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sample one;
        make_sample(&one, i, rows[i].path);
        one.item.member = rows[i].member;
        one.item.kind = rows[i].kind;
        one.item.taken = rows[i].taken;
        align_content_hash(rows[i].path, i % 3, one.item.hash);
        assert_int_equal(add_sample(index, &one), i + 1);
    }
    return index;
}

static void filters_choose(void **state)
{
    (void)state;
    align_index *index = index_for_filters();
    align_filter filter = ALIGN_FILTER_INIT;
    uint8_t hash[ALIGN_HASH_SIZE];
    expect(index, &filter, "1 2 3 4 5 6 7 8 9 ");
    filter.images = true;
    expect(index, &filter, "1 2 3 4 5 6 7 ");
    filter.texts = true;
    expect(index, &filter, "1 2 3 4 5 6 7 8 9 ");
    filter.images = false;
    expect(index, &filter, "8 9 ");
    filter = (align_filter)ALIGN_FILTER_INIT;
    choose_folder(&filter, "/a/b");
    expect(index, &filter, "1 2 6 7 ");
    choose_folder(&filter, "/a/b///");
    expect(index, &filter, "1 2 6 7 ");
    choose_folder(&filter, "/a");
    expect(index, &filter, "1 2 3 4 5 6 7 9 ");
    choose_folder(&filter, "/");
    expect(index, &filter, "1 2 3 4 5 6 7 9 ");
    choose_folder(&filter, "/a/%");
    expect(index, &filter, "");
    choose_folder(&filter, "/a/b/c");
    filter.images = true;
    filter.from = 300;
    filter.until = 301;
    expect(index, &filter, "2 ");
    filter.n_folders = 0;
    expect(index, &filter, "2 5 ");
    filter.from = INT64_MIN;
    expect(index, &filter, "1 2 4 5 6 ");
    filter.until = 300;
    expect(index, &filter, "1 4 6 ");
    filter = (align_filter)ALIGN_FILTER_INIT;
    filter.path = "/a/b";
    expect(index, &filter, "6 7 ");
    filter.path = "/a/c";
    expect(index, &filter, "");
    filter.path = NULL;
    filter.hash = hash;
    align_content_hash("/", 1, hash);
    expect(index, &filter, "2 5 ");
    /* In any of several folders, one inside the other, too; with the other conditions; as many as may be. */
    const char *folders[ALIGN_MOST_FOLDERS + 1] = {"/a/b/c/", "/a/b0", "/a/b"};
    filter = (align_filter)ALIGN_FILTER_INIT;
    filter.folders = folders;
    filter.n_folders = 3;
    expect(index, &filter, "1 2 5 6 7 ");
    filter.n_folders = 2;
    expect(index, &filter, "2 5 ");
    filter.n_folders = 3;
    filter.until = 300;
    filter.images = true;
    expect(index, &filter, "1 6 ");
    for (size_t i = 3; i < ALIGN_MOST_FOLDERS; i++)
        folders[i] = i % 2 ? "/a/B" : "/not/there";
    filter.n_folders = ALIGN_MOST_FOLDERS;
    filter.from = -100;
    filter.path = "/a/b";
    align_content_hash("/a", 2, hash);
    filter.hash = hash;
    expect(index, &filter, "6 ");
    filter.n_folders = ALIGN_MOST_FOLDERS + 1;
    assert_refused(align_cursor_open(&(align_cursor *){NULL}, index, &filter, ALIGN_ORDER_ID, &err),
                   ALIGN_ERROR_INVALID_ARGUMENT, "65 folders");
    align_query_options options = ALIGN_QUERY_OPTIONS_INIT;
    choose_folder(&options.filter, "");
    assert_refused(align_index_query(index, NULL, 0, &options, &(align_hits){0}, &err), ALIGN_ERROR_INVALID_ARGUMENT,
                   "folder");
    align_index_close(index);
}

static void lists_are_ordered(void **state)
{
    (void)state;
    align_index *index = index_for_filters();
    align_filter filter = ALIGN_FILTER_INIT;
    expect_ids(index, NULL, ALIGN_ORDER_ID, "1 2 3 4 5 6 7 8 9 ");
    expect_ids(index, NULL, ALIGN_ORDER_PATH, "9 7 6 4 3 1 2 5 8 ");
    expect_ids(index, NULL, ALIGN_ORDER_NEWEST, "2 5 9 4 1 6 3 7 8 ");
    expect_ids(index, NULL, ALIGN_ORDER_OLDEST, "6 1 4 9 2 5 3 7 8 ");
    filter.images = true;
    choose_folder(&filter, "/a/b");
    expect_ids(index, &filter, ALIGN_ORDER_OLDEST, "6 1 2 7 ");
    align_index_close(index);
}

/* The hits in an order are what a list in that order has, without what falls short of the threshold. */
static void assert_first_in_order(align_index *index, const float *query, const align_query_options *options)
{
    align_hits hits;
    align_cursor *cursor;
    align_item item;
    bool found = true;
    float vector[WIDTH];
    int64_t rank = 0;
    size_t n = 0;
    assert_done(align_index_query(index, query, 1, options, &hits, &err));
    assert_done(align_cursor_open(&cursor, index, &options->filter, options->order, &err));
    while (rank < options->skip + options->top) {
        assert_done(align_cursor_next(cursor, &item, vector, &found, &err));
        if (!found)
            break;
        const float score = score_of(query, vector);
        if ((double)score < options->threshold || rank++ < options->skip)
            continue;
        assert_true(n < hits.offsets[1]);
        assert_same_item(&hits.items[n], &item);
        assert_true(fabsf(hits.scores[n] - score) < 2e-6f);
        n++;
    }
    assert_int_equal(hits.offsets[1], n);
    align_cursor_close(cursor);
    align_hits_done(&hits);
}

static void hits_are_ordered(void **state)
{
    (void)state;
    align_index *index = index_for_filters();
    align_query_options options = ALIGN_QUERY_OPTIONS_INIT;
    align_hits hits;
    float queries[2 * WIDTH];
    make_vector(4242, queries);
    make_vector(4243, queries + WIDTH);
    static const double thresholds[] = {-2, -0.1, 0.1, 1.5};
    for (options.order = ALIGN_ORDER_ID; options.order <= ALIGN_ORDER_OLDEST; options.order++)
        for (options.skip = 0; options.skip < 4; options.skip += 3)
            for (size_t i = 0; i < sizeof thresholds / sizeof *thresholds; i++) {
                options.threshold = thresholds[i];
                options.approximate = !options.approximate; /* there is nothing near about a date */
                for (options.top = 1; options.top < 10; options.top += 4)
                    assert_first_in_order(index, queries, &options);
            }
    /* Several queries, some items, and the oldest of them for each. */
    options = (align_query_options)ALIGN_QUERY_OPTIONS_INIT;
    options.order = ALIGN_ORDER_OLDEST;
    options.top = 2;
    options.filter.images = true;
    assert_done(align_index_query(index, queries, 2, &options, &hits, &err));
    assert_int_equal(hits.offsets[2], 4);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(hits.items[i].id, i % 2 ? 1 : 6);
    align_hits_done(&hits);
    options.order = (align_item_order)(ALIGN_ORDER_SCORE + 1);
    assert_refused(align_index_query(index, queries, 1, &options, &hits, &err), ALIGN_ERROR_INVALID_ARGUMENT,
                   "order 5");
    align_cursor *cursor;
    assert_refused(align_cursor_open(&cursor, index, NULL, ALIGN_ORDER_SCORE, &err), ALIGN_ERROR_INVALID_ARGUMENT,
                   "order 4");
    align_index_close(index);
    /* None at all. */
    index = fresh_index();
    options.order = ALIGN_ORDER_PATH;
    assert_done(align_index_query(index, queries, 2, &options, &hits, &err));
    assert_int_equal(hits.queries, 2);
    assert_int_equal(hits.offsets[2], 0);
    align_hits_done(&hits);
    align_index_close(index);
}

/* A list is of one moment, whatever happens to the index meanwhile. */
static void lists_do_not_change_while_read(void **state)
{
    (void)state;
    align_index *index = fresh_index();
    align_cursor *cursor;
    align_item item;
    bool found = true;
    float vector[WIDTH], wanted[WIDTH];
    int64_t n = 0;
    add_many(index, 1, 50);
    assert_done(align_cursor_open(&cursor, index, NULL, ALIGN_ORDER_ID, &err));
    for (;;) {
        assert_done(align_cursor_next(cursor, &item, vector, &found, &err));
        if (!found)
            break;
        assert_int_equal(item.id, ++n);
        make_vector((uint64_t)n, wanted);
        assert_true(score_of(wanted, vector) > 0.999f);
        assert_done(align_index_remove(index, &n, 1, NULL, &err));
        add_many(index, 100 + (uint64_t)n, 1);
    }
    assert_int_equal(n, 50);
    align_cursor_close(cursor);
    assert_int_equal(info_of(index).images, 50);
    align_index_close(index);
}

/* ---- duplicates ---- */

static void alike_are_grouped(void **state)
{
    (void)state;
    enum { COUNT = 200 };
    align_index *index = fresh_index();
    align_hits hits;
    float line[WIDTH];
    add_many(index, 1, COUNT);
    /* 40 copies of one, each a little off the copy before, so that the first and the last are not alike. */
    make_vector(7, line);
    for (int i = 0; i < 40; i++) {
        sample one;
        char path[32];
        snprintf(path, sizeof path, "/line/%02d", i);
        make_sample(&one, 0, path);
        line[i % WIDTH] += 0.1f;
        memcpy(one.vector, line, sizeof line);
        add_sample(index, &one);
    }
    assert_done(align_index_duplicates(index, 0.999, NULL, &hits, &err));
    assert_int_equal(hits.queries, 1);
    assert_int_equal(hits.offsets[1], 41);
    assert_int_equal(hits.items[0].id, 7);
    for (size_t i = 0; i < 41; i++) {
        assert_true(hits.scores[i] >= 0.999f && hits.scores[i] <= 1);
        if (i > 0)
            assert_int_equal(hits.items[i].id, COUNT + i);
    }
    align_hits_done(&hits);
    align_filter filter = ALIGN_FILTER_INIT;
    choose_folder(&filter, "/photos");
    assert_done(align_index_duplicates(index, 0.999, &filter, &hits, &err));
    assert_int_equal(hits.queries, 0);
    align_hits_done(&hits);
    filter.folders = (const char *const[]){"/line", "/photos"};
    filter.n_folders = 2;
    assert_done(align_index_duplicates(index, 0.999, &filter, &hits, &err));
    assert_int_equal(hits.offsets[1], 41);
    align_hits_done(&hits);
    align_index_close(index);
}

/* ---- what is refused ---- */

static void bad_arguments_are_named(void **state)
{
    (void)state;
    const char *where = fresh_store();
    align_index *index = open_index(where, true), *other = NULL;
    sample one;
    align_hits hits;
    make_sample(&one, 1, "/a.jpg");
    one.item.text = "\xff";
    assert_refused(align_index_add(index, &one.item, one.vector, 1, NULL, &err), ALIGN_ERROR_INVALID_ARGUMENT,
                   "item 0 (/a.jpg): a text that is not UTF-8");
    one.item.text = NULL;
    one.item.path = "";
    assert_refused(align_index_add(index, &one.item, one.vector, 1, NULL, &err), ALIGN_ERROR_INVALID_ARGUMENT,
                   "an empty path");
    one.item.path = "/b.jpg";
    one.vector[3] = NAN;
    assert_refused(align_index_add(index, &one.item, one.vector, 1, NULL, &err), ALIGN_ERROR_INVALID_ARGUMENT,
                   "item 0 (/b.jpg): a vector with numbers that are not finite");
    assert_refused(align_index_query(index, one.vector, 1, NULL, &hits, &err), ALIGN_ERROR_INVALID_ARGUMENT, "query 0");
    memset(one.vector, 0, sizeof one.vector);
    assert_refused(align_index_add(index, &one.item, one.vector, 1, NULL, &err), ALIGN_ERROR_INVALID_ARGUMENT, "zero");
    assert_int_equal(info_of(index).images, 0);
    align_query_options query = ALIGN_QUERY_OPTIONS_INIT;
    query.top = 0;
    assert_refused(align_index_query(index, one.vector, 0, &query, &hits, &err), ALIGN_ERROR_INVALID_ARGUMENT, "top 0");
    align_index_options options = ALIGN_INDEX_OPTIONS_INIT;
    options.model = "another";
    assert_refused(align_index_open(&other, where, &options, &err), ALIGN_ERROR_MISMATCH, "\"another\"");
    options.model = NULL;
    options.width = WIDTH + 1;
    assert_refused(align_index_open(&other, where, &options, &err), ALIGN_ERROR_MISMATCH, "25");
    options.model = "another"; /* the reason for the other width */
    assert_refused(align_index_open(&other, where, &options, &err), ALIGN_ERROR_MISMATCH, "\"another\"");
    options.model = NULL;
    options.width = 16001;
    assert_refused(align_index_open(&other, where, &options, &err), ALIGN_ERROR_INVALID_ARGUMENT, "16001");
    options.width = 0;
    options.create = true;
    assert_refused(align_index_open(&other, where, &options, &err), ALIGN_ERROR_INVALID_ARGUMENT, "model and a width");
    options.create = false;
    options.read_only = true;
    assert_done(align_index_open(&other, where, &options, &err));
    make_vector(1, one.vector);
    assert_refused(align_index_add(other, &one.item, one.vector, 1, NULL, &err), ALIGN_ERROR_INVALID_ARGUMENT,
                   "reading only");
    assert_refused(align_index_vacuum(other, &err), ALIGN_ERROR_INVALID_ARGUMENT, "reading only");
    align_index_close(other);
    align_index_close(index);
}

/* Two handles, as of two processes: what one has added or removed the other sees. */
static void others_see_changes(void **state)
{
    (void)state;
    const char *where = fresh_store();
    align_index *writer = open_index(where, true), *reader = open_index(where, false);
    float query[WIDTH];
    align_query_options options = ALIGN_QUERY_OPTIONS_INIT;
    options.top = 1000;
    make_vector(1, query);
    for (uint64_t i = 0; i < 5; i++) {
        add_many(writer, 1 + 40 * i, 40);
        assert_nearest(reader, query, &options, 40 * (i + 1), NULL);
    }
    const int64_t first = 1;
    align_hits hits;
    assert_done(align_index_remove(writer, &first, 1, NULL, &err));
    assert_done(align_index_vacuum(writer, &err));
    assert_done(align_index_query(reader, query, 1, &options, &hits, &err));
    assert_int_equal(hits.offsets[1], 199);
    align_hits_done(&hits);
    align_index_close(reader);
    align_index_close(writer);
}

#define INDEX_CASES                                                                                 \
    QUERY_CASES, cmocka_unit_test(items_are_kept), cmocka_unit_test(the_same_path_is_replaced),     \
        cmocka_unit_test(items_move), cmocka_unit_test(items_go), cmocka_unit_test(filters_choose), \
        cmocka_unit_test(lists_are_ordered), cmocka_unit_test(hits_are_ordered),                    \
        cmocka_unit_test(lists_do_not_change_while_read), cmocka_unit_test(alike_are_grouped),      \
        cmocka_unit_test(bad_arguments_are_named), cmocka_unit_test(others_see_changes)
#endif
