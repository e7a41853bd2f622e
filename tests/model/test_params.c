/* test_params.c: the walk over the parameters against state_dict() of the reference: keys, order, shapes; and figures.
 */
#include "base/memory.h"
#include "checkpoint/json.h"
#include "model/params.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct listing {
    const char *name;      /* of the case */
    const json_t *tensors; /* lines "key d0 d1 ..." */
    size_t next;
} listing;

static align_status check_line(void *user, const al_param *param, align_error *err)
{
    listing *list = user;
    char line[256];
    int n = snprintf(line, sizeof line, "%s", param->name);
    (void)err;
    for (int i = 0; i < param->rank; i++)
        n += snprintf(line + n, sizeof line - (size_t)n, " %lld", (long long)param->shape[i]);
    const char *expected = json_string_value(json_array_get(list->tensors, list->next++));
    if (!expected || strcmp(line, expected) != 0)
        fail_msg("%s: %s, expected %s", list->name, line, expected ? expected : "nothing");
    assert_non_null(param->slot);
    assert_null(param->slot->data);
    const char *stem = strstr(param->name, "num_batches_tracked");
    assert_int_equal(param->kind == AL_BUFFER_COUNT, stem != NULL);
    return ALIGN_OK;
}

static align_tower read_case(align_config *config, const json_t *entry)
{
    const char *class = json_string_value(json_object_get(entry, "class"));
    const char *json = json_string_value(json_object_get(entry, "config"));
    const size_t size = strlen(json);
    if (class[0] == 'a') {
        assert_int_equal(align_config_from_json(config, json, size, NULL), ALIGN_OK);
        return ALIGN_TOWER_BOTH;
    }
    assert_int_equal(align_config_init(config, NULL), ALIGN_OK);
    if (class[0] == 't') {
        align_text_config_done(&config->text_config);
        assert_int_equal(align_text_config_from_json(&config->text_config, json, size, NULL), ALIGN_OK);
        return ALIGN_TOWER_TEXT;
    }
    align_vision_config_done(&config->vision_config);
    assert_int_equal(align_vision_config_from_json(&config->vision_config, json, size, NULL), ALIGN_OK);
    return ALIGN_TOWER_VISION;
}

static align_status validate(const align_config *config, align_tower tower, align_error *err)
{
    if (tower == ALIGN_TOWER_TEXT)
        return align_text_config_validate(&config->text_config, err);
    if (tower == ALIGN_TOWER_VISION)
        return align_vision_config_validate(&config->vision_config, err);
    return align_config_validate(config, err);
}

static void test_state_dicts(void **state)
{
    (void)state;
    align_error err = ALIGN_ERROR_INIT;
    json_t *cases, *entry;
    size_t i;
    assert_int_equal(al_json_load(&cases, TEST_DATA "/model/state_dicts.json", &err), ALIGN_OK);
    assert_true(json_array_size(cases) >= 16);
    json_array_foreach(cases, i, entry)
    {
        align_config config;
        al_model_params params;
        listing list = {json_string_value(json_object_get(entry, "name")), json_object_get(entry, "tensors"), 0};
        const align_tower tower = read_case(&config, entry);
        const bool no_pooler = json_is_true(json_object_get(entry, "no_pooler"));
        if (validate(&config, tower, &err) != ALIGN_OK)
            fail_msg("%s: %s", list.name, err.message);
        assert_int_equal(al_params_init(&params, &config, tower, no_pooler, &err), ALIGN_OK);
        assert_int_equal(al_params_visit(&params, &config, check_line, &list, &err), ALIGN_OK);
        if (list.next != json_array_size(list.tensors))
            fail_msg("%s: %zu tensors, expected %zu", list.name, list.next, json_array_size(list.tensors));
        al_params_done(&params);
        align_config_done(&config);
    }
    json_decref(cases);
}

/* What a block says of itself beside its shapes. */
static void test_blocks(void **state)
{
    (void)state;
    align_config config;
    al_model_params params;
    const int64_t symmetric[] = {4, 999};
    assert_int_equal(align_config_init(&config, NULL), ALIGN_OK);
    assert_int_equal(align_int_list_set(&config.vision_config.depthwise_padding, symmetric, 2, NULL), ALIGN_OK);
    assert_int_equal(al_params_init(&params, &config, ALIGN_TOWER_VISION, false, NULL), ALIGN_OK);
    const al_vision_params *vision = &params.vision;
    assert_int_equal(vision->n_blocks, 55);
    assert_int_equal(al_vision_width(&config.vision_config), 640);
    static const int stride_2[] = {4, 11, 18, 38};
    size_t found = 0;
    for (size_t b = 0; b < vision->n_blocks; b++) {
        const al_vision_block_params *block = &vision->blocks[b];
        assert_int_equal(block->adjust_padding, b != 4);
        if (b > 0)
            assert_int_equal(block->in, vision->blocks[b - 1].out);
        if (block->residual)
            assert_true(block->in == block->out && block->stride == 1);
        if (block->stride == 2)
            assert_int_equal(b, stride_2[found++]);
    }
    assert_int_equal(found, 4);
    assert_false(vision->blocks[0].residual || vision->blocks[4].residual || vision->blocks[54 - 3].residual);
    assert_true(vision->blocks[1].residual && vision->blocks[54].residual);
    assert_false(vision->blocks[0].expand);
    assert_int_equal(vision->blocks[0].squeezed, 16); /* of the width before expansion */
    assert_int_equal(vision->blocks[5].squeezed, 12);
    al_params_done(&params);
    align_config_done(&config);
}

static void test_block_output(void **state)
{
    (void)state;
    /* stride, kernel, adjust, in, out */
    static const int64_t cases[][5] = {{1, 5, 1, 7, 7}, {1, 4, 1, 1, 1}, {2, 3, 1, 8, 4}, {2, 3, 1, 7, 3},
                                       {2, 3, 0, 8, 4}, {2, 3, 0, 7, 4}, {2, 5, 1, 9, 4}, {2, 5, 0, 9, 5},
                                       {2, 1, 1, 8, 4}, {2, 1, 1, 1, 0}, {2, 1, 0, 1, 1}, {2, 7, 1, 2, 1},
                                       {2, 7, 1, 1, 0}, {2, 3, 1, 1, 0}, {2, 3, 0, 1, 1}, {2, 2, 1, 5, 3}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const al_vision_block_params block = {
            .stride = cases[i][0], .kernel = cases[i][1], .adjust_padding = cases[i][2] != 0};
        assert_int_equal(al_vision_block_output(&block, cases[i][3]), cases[i][4]);
    }
}

static align_status stop_at_third(void *user, const al_param *param, align_error *err)
{
    int *count = user;
    (void)param;
    (void)err;
    return ++*count == 3 ? ALIGN_ERROR_UNSUPPORTED : ALIGN_OK;
}

static void test_stops(void **state)
{
    (void)state;
    align_config config;
    al_model_params params;
    int count = 0;
    assert_int_equal(align_config_init(&config, NULL), ALIGN_OK);
    assert_int_equal(al_params_init(&params, &config, ALIGN_TOWER_BOTH, false, NULL), ALIGN_OK);
    assert_int_equal(al_params_visit(&params, &config, stop_at_third, &count, NULL), ALIGN_ERROR_UNSUPPORTED);
    assert_int_equal(count, 3);
    al_params_done(&params);
    al_params_done(&params);
    align_config_done(&config);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    align_config config;
    al_model_params params;
    align_status status;
    long n = 0;
    assert_int_equal(align_config_init(&config, NULL), ALIGN_OK);
    do {
        al_memory_fail_at(++n);
        status = al_params_init(&params, &config, ALIGN_TOWER_BOTH, false, NULL);
        al_memory_fail_at(0);
        assert_true(status == ALIGN_OK || status == ALIGN_ERROR_OUT_OF_MEMORY);
        al_params_done(&params);
    } while (status != ALIGN_OK);
    assert_true(n > 3);
    align_config_done(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_state_dicts), cmocka_unit_test(test_blocks),        cmocka_unit_test(test_block_output),
        cmocka_unit_test(test_stops),       cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
