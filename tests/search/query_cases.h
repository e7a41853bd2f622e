/* query_cases.h: what queries find in every index (index_cases.h). */
#ifndef QUERY_CASES_H
#define QUERY_CASES_H
#include "search/search_test.h"

/* A place where no index is; the same until the next call. */
static const char *fresh_store(void);

static align_index *fresh_index(void)
{
    return open_index(fresh_store(), true);
}

/* ---- finding by vector ---- */

/* Every item's kept vector, by id from 1 on: what brute force looks at. */
static float *kept_vectors(align_index *index, size_t count)
{
    float *kept = calloc(count, sizeof(float[WIDTH]));
    for (size_t i = 0; i < count; i++)
        assert_done(align_index_vector(index, (int64_t)i + 1, kept + i * WIDTH, &err));
    return kept;
}

/* The hits of a query are those of brute force over the ids from 1 on that `among` has (NULL: all). */
static void assert_nearest(align_index *index, const float *query, const align_query_options *options, size_t count,
                           const bool *among)
{
    align_hits hits;
    float *kept = kept_vectors(index, count);
    bool *taken = calloc(count, sizeof *taken);
    assert_done(align_index_query(index, query, 1, options, &hits, &err));
    assert_int_equal(hits.queries, 1);
    size_t n = 0;
    for (int64_t rank = 0; rank < options->skip + options->top; rank++) {
        size_t best = count;
        float best_score = -3;
        for (size_t i = 0; i < count; i++) {
            const float score = taken[i] || (among && !among[i]) ? -3 : score_of(query, kept + i * WIDTH);
            if (score > best_score && (double)score >= options->threshold) {
                best = i;
                best_score = score;
            }
        }
        if (best == count)
            break;
        taken[best] = true;
        if (rank < options->skip)
            continue;
        assert_true(n < hits.offsets[1]);
        assert_int_equal(hits.items[n].id, best + 1);
        assert_true(fabsf(hits.scores[n] - fminf(best_score, 1)) < 2e-6f);
        n++;
    }
    assert_int_equal(hits.offsets[1], n);
    align_hits_done(&hits);
    free(taken);
    free(kept);
}

static void nearest_are_found(void **state)
{
    (void)state;
    align_index *index = fresh_index();
    float query[WIDTH];
    align_query_options options = ALIGN_QUERY_OPTIONS_INIT;
    make_vector(77777, query);
    assert_nearest(index, query, &options, 0, NULL);
    add_many(index, 1, 300);
    assert_nearest(index, query, &options, 300, NULL);
    options.top = 1000;
    assert_nearest(index, query, &options, 300, NULL);
    options.top = 7;
    options.skip = 5;
    assert_nearest(index, query, &options, 300, NULL);
    options.skip = 298;
    assert_nearest(index, query, &options, 300, NULL);
    options.skip = 300;
    assert_nearest(index, query, &options, 300, NULL);
    options.skip = 0;
    options.top = 1000;
    options.threshold = 0.1;
    assert_nearest(index, query, &options, 300, NULL);
    options.threshold = 1.5;
    assert_nearest(index, query, &options, 300, NULL);
    align_index_close(index);
}

static void several_queries_are_as_one(void **state)
{
    (void)state;
    enum { N = 37, COUNT = 200 };
    align_index *index = fresh_index();
    float queries[N * WIDTH];
    align_hits all, one;
    add_many(index, 1, COUNT);
    for (size_t q = 0; q < N; q++)
        make_vector(5000 + q, queries + q * WIDTH);
    assert_done(align_index_query(index, queries, N, NULL, &all, &err));
    assert_int_equal(all.queries, N);
    for (size_t q = 0; q < N; q++) {
        assert_done(align_index_query(index, queries + q * WIDTH, 1, NULL, &one, &err));
        assert_int_equal(all.offsets[q + 1] - all.offsets[q], one.offsets[1]);
        for (size_t i = 0; i < one.offsets[1]; i++) {
            assert_int_equal(all.items[all.offsets[q] + i].id, one.items[i].id);
            assert_true(all.scores[all.offsets[q] + i] == one.scores[i]);
        }
        align_hits_done(&one);
    }
    align_hits_done(&all);
    assert_done(align_index_query(index, queries, 0, NULL, &all, &err));
    assert_int_equal(all.queries, 0);
    align_hits_done(&all);
    align_index_close(index);
}

static void lengths_do_not_matter(void **state)
{
    (void)state;
    align_index *index = fresh_index();
    float scaled[WIDTH], kept[WIDTH];
    double length = 0;
    sample one;
    align_hits hits;
    make_sample(&one, 3, "/a");
    for (int i = 0; i < WIDTH; i++)
        one.vector[i] *= 1e30f;
    const int64_t id = add_sample(index, &one);
    assert_done(align_index_vector(index, id, kept, &err));
    for (int i = 0; i < WIDTH; i++) {
        length += (double)kept[i] * (double)kept[i];
        scaled[i] = one.vector[i] * 1e-35f;
    }
    assert_true(fabs(length - 1) < 1e-3);
    assert_done(align_index_query(index, scaled, 1, NULL, &hits, &err));
    assert_true(hits.scores[0] > 0.9999f && hits.scores[0] <= 1);
    align_hits_done(&hits);
    align_index_close(index);
}

#define QUERY_CASES                                                                    \
    cmocka_unit_test(nearest_are_found), cmocka_unit_test(several_queries_are_as_one), \
        cmocka_unit_test(lengths_do_not_matter)
#endif
