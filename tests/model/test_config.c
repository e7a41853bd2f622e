/* test_config.c: config.json in and out against the reference's text, and what _validate refuses. */
#include "base/memory.h"
#include "checkpoint/json.h"

#include <align/config.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* One of the three classes behind one face. */
typedef struct any_config {
    char class;
    align_text_config text;
    align_vision_config vision;
    align_config both;
} any_config;

static align_status any_from_json(any_config *any, const char *class, const char *json, align_error *err)
{
    *any = (any_config){.class = class[0]};
    if (any->class == 't')
        return align_text_config_from_json(&any->text, json, strlen(json), err);
    if (any->class == 'v')
        return align_vision_config_from_json(&any->vision, json, strlen(json), err);
    return align_config_from_json(&any->both, json, strlen(json), err);
}

static align_status any_to_json(const any_config *any, char **json, align_error *err)
{
    if (any->class == 't')
        return align_text_config_to_json(&any->text, json, err);
    if (any->class == 'v')
        return align_vision_config_to_json(&any->vision, json, err);
    return align_config_to_json(&any->both, json, err);
}

static align_status any_copy(any_config *out, const any_config *any, align_error *err)
{
    *out = (any_config){.class = any->class};
    if (any->class == 't')
        return align_text_config_copy(&out->text, &any->text, err);
    if (any->class == 'v')
        return align_vision_config_copy(&out->vision, &any->vision, err);
    return align_config_copy(&out->both, &any->both, err);
}

static void any_done(any_config *any)
{
    align_text_config_done(&any->text);
    align_vision_config_done(&any->vision);
    align_config_done(&any->both);
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    assert_non_null(text);
    return text;
}

static void assert_written(const any_config *any, const char *name, const char *expected)
{
    align_error err = ALIGN_ERROR_INIT;
    char *json;
    if (any_to_json(any, &json, &err) != ALIGN_OK)
        fail_msg("%s: %s", name, err.message);
    if (strcmp(json, expected) != 0)
        fail_msg("%s:\n%sexpected\n%s", name, json, expected);
    align_free(json);
}

/* Read, copied, written and read again: always the reference's text. */
static void test_goldens(void **state)
{
    (void)state;
    align_error err = ALIGN_ERROR_INIT;
    json_t *cases, *entry;
    size_t i;
    assert_int_equal(al_json_load(&cases, TEST_DATA "/model/configs.json", &err), ALIGN_OK);
    assert_true(json_array_size(cases) > 100);
    json_array_foreach(cases, i, entry)
    {
        const char *name = text_of(entry, "name"), *class = text_of(entry, "class");
        const char *expected = text_of(entry, "output");
        any_config any, copy, again;
        if (any_from_json(&any, class, text_of(entry, "input"), &err) != ALIGN_OK)
            fail_msg("%s: %s", name, err.message);
        assert_written(&any, name, expected);
        assert_int_equal(any_copy(&copy, &any, &err), ALIGN_OK);
        any_done(&any);
        assert_written(&copy, name, expected);
        any_done(&copy);
        assert_int_equal(any_from_json(&again, class, expected, &err), ALIGN_OK);
        const json_t *other = json_object_get(entry, "again"); /* the reference does not keep everything it writes */
        assert_written(&again, name, other ? json_string_value(other) : expected);
        any_done(&again);
    }
    json_decref(cases);
}

static void test_defaults(void **state)
{
    (void)state;
    align_config config;
    assert_int_equal(align_config_init(&config, NULL), ALIGN_OK);
    assert_int_equal(config.projection_dim, 640);
    assert_int_equal(config.text_config.vocab_size, 30522);
    assert_int_equal(config.vision_config.strides.count, 7);
    assert_int_equal(config.vision_config.depthwise_padding.count, 0);
    assert_true(config.text_config.has_pad_token_id);
    assert_int_equal(align_config_validate(&config, NULL), ALIGN_OK);
    align_config_done(&config);
    align_config_done(&config);
    align_config_done(NULL);
    align_text_config_done(NULL);
    align_vision_config_done(NULL);
}

/* Numbers that the reference's Python gave; they must come out of doubles, not floats. */
static void test_rounding(void **state)
{
    (void)state;
    static const int64_t channels[] = {32, 16, 24, 40, 80, 112, 192, 320}, repeats[] = {1, 2, 3, 4, 5, 10};
    static const struct {
        double width;
        int64_t divisor, rounded[8];
    } filters[] = {{2.0, 8, {64, 32, 48, 80, 160, 224, 384, 640}},
                   {1.1, 8, {32, 16, 24, 48, 88, 120, 208, 352}},
                   {1.3, 7, {42, 21, 35, 49, 105, 147, 252, 413}},
                   {0.1, 8, {8, 8, 8, 8, 8, 16, 24, 32}}};
    static const struct {
        double depth;
        int64_t rounded[6];
    } depths[] = {{3.1, {4, 7, 10, 13, 16, 31}}, {1.1, {2, 3, 4, 5, 6, 11}}, {1.2, {2, 3, 4, 5, 6, 12}},
                  {2.6, {3, 6, 8, 11, 13, 26}},  {0.3, {1, 1, 1, 2, 2, 3}},  {0.0, {0, 0, 0, 0, 0, 0}}};
    align_vision_config config = {0};
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++)
        for (size_t j = 0; j < 8; j++) {
            config.width_coefficient = filters[i].width;
            config.depth_divisor = filters[i].divisor;
            assert_int_equal(align_round_filters(&config, channels[j]), filters[i].rounded[j]);
        }
    for (size_t i = 0; i < sizeof depths / sizeof *depths; i++)
        for (size_t j = 0; j < 6; j++) {
            config.depth_coefficient = depths[i].depth;
            assert_int_equal(align_round_repeats(&config, repeats[j]), depths[i].rounded[j]);
        }
    config.depth_coefficient = 1e300;
    assert_true(align_round_repeats(&config, 4) == INT64_MAX);
    config.depth_coefficient = -1e300;
    assert_true(align_round_repeats(&config, 4) == INT64_MIN);
    config.width_coefficient = NAN;
    config.depth_coefficient = NAN;
    assert_int_equal(align_round_repeats(&config, 4), 0);
    (void)align_round_filters(&config, 4);
}

static void test_activations(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        align_activation activation;
    } known[] = {{"gelu", ALIGN_ACT_GELU},
                 {"gelu_python", ALIGN_ACT_GELU},
                 {"gelu_accurate", ALIGN_ACT_GELU_NEW},
                 {"gelu_pytorch_tanh", ALIGN_ACT_GELU_NEW},
                 {"gelu_fast", ALIGN_ACT_GELU_FAST},
                 {"selu", ALIGN_ACT_SELU},
                 {"swish", ALIGN_ACT_SILU},
                 {"relu2", ALIGN_ACT_RELU2},
                 {"tanh", ALIGN_ACT_TANH}};
    align_error err = ALIGN_ERROR_INIT;
    align_activation found;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        assert_int_equal(align_activation_from_name(&found, known[i].name, &err), ALIGN_OK);
        assert_int_equal(found, known[i].activation);
    }
    assert_int_equal(align_activation_from_name(&found, "GELU", &err), ALIGN_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "GELU"));
}

/* ---- malformed files ---- */

static void test_wrong_types(void **state)
{
    (void)state;
    static const struct {
        const char *class, *json, *key;
    } bad[] = {
        {"align", "", "not JSON"},
        {"align", "{\"projection_dim\": 3", "not JSON"},
        {"align", "[]", "expected an object"},
        {"align", "{\"projection_dim\": \"640\"}", "projection_dim"},
        {"align", "{\"projection_dim\": 1.5}", "projection_dim"},
        {"align", "{\"projection_dim\": 1e300}", "projection_dim"},
        {"align", "{\"projection_dim\": null}", "projection_dim"},
        {"align", "{\"temperature_init_value\": \"x\"}", "temperature_init_value"},
        {"align", "{\"text_config\": 3}", "text_config"},
        {"align", "{\"vision_config\": []}", "vision_config"},
        {"align", "{\"text_config\": {\"vocab_size\": true}}", "text_config.vocab_size"},
        {"align", "{\"vision_config\": {\"strides\": [1, 2.5]}}", "vision_config.strides"},
        {"text", "{\"model_type\": \"align\", \"text_config\": {\"hidden_size\": []}}", "text_config.hidden_size"},
        {"text", "{\"hidden_act\": 3}", "hidden_act"},
        {"text", "{\"hidden_act\": \"0123456789012345678901234567890123456789012345678901234567890123\"}",
         "hidden_act"},
        {"text", "{\"use_cache\": 1}", "use_cache"},
        {"text", "{\"pad_token_id\": \"0\"}", "pad_token_id"},
        {"text", "{\"id2label\": []}", "id2label"},
        {"text", "{\"id2label\": {\"x\": 1}}", "id2label"},
        {"text", "{\"label2id\": 3}", "label2id"},
        {"text", "{\"num_labels\": \"many\"}", "num_labels"},
        {"text", "{\"num_labels\": 1000000000}", "num_labels"},
        {"text", "{\"torch_dtype\": 32}", "torch_dtype"},
        {"text", "{\"problem_type\": \"none\"}", "problem_type"},
        {"text", "{\"pruned_heads\": {\"first\": [0]}}", "pruned_heads"},
        {"vision", "{\"kernel_sizes\": 3}", "kernel_sizes"},
        {"vision", "{\"kernel_sizes\": [\"3\"]}", "kernel_sizes"},
        {"vision", "{\"width_coefficient\": null}", "width_coefficient"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        align_error err = ALIGN_ERROR_INIT;
        any_config any;
        assert_int_equal(any_from_json(&any, bad[i].class, bad[i].json, &err), ALIGN_ERROR_FORMAT);
        assert_int_equal(err.status, ALIGN_ERROR_FORMAT);
        if (!strstr(err.message, bad[i].key))
            fail_msg("%s: %s", bad[i].json, err.message);
        any_done(&any);
    }
}

static void test_whole_reals(void **state)
{
    (void)state;
    static const char json[] = "{\"expand_ratios\": [1.0, 6.0], \"depth_divisor\": 4.0, \"width_coefficient\": 1}";
    align_vision_config config;
    assert_int_equal(align_vision_config_from_json(&config, json, strlen(json), NULL), ALIGN_OK);
    assert_int_equal(config.expand_ratios.count, 2);
    assert_int_equal(config.expand_ratios.data[1], 6);
    assert_int_equal(config.depth_divisor, 4);
    assert_true(config.width_coefficient == 1.0);
    align_vision_config_done(&config);
}

static void test_unwritable(void **state)
{
    (void)state;
    align_error err = ALIGN_ERROR_INIT;
    align_config config;
    char *json = NULL;
    assert_int_equal(align_config_init(&config, NULL), ALIGN_OK);
    config.temperature_init_value = INFINITY;
    assert_int_equal(align_config_to_json(&config, &json, &err), ALIGN_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "temperature_init_value"));
    config.temperature_init_value = 1;
    strcpy(config.vision_config.hidden_act, "\xff");
    assert_int_equal(align_config_to_json(&config, &json, &err), ALIGN_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "hidden_act"));
    assert_null(json);
    align_config_done(&config);
}

/* ---- files ---- */

static void test_files(void **state)
{
    (void)state;
    char folder[] = "/tmp/align-config-XXXXXX", path[64], missing[64];
    align_error err = ALIGN_ERROR_INIT;
    align_config config, again;
    align_text_config text;
    align_vision_config vision;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/config.json", folder);
    snprintf(missing, sizeof missing, "%s/absent", folder);
    assert_int_equal(align_config_init(&config, NULL), ALIGN_OK);
    config.text_config.hidden_size = 36;
    config.vision_config.hidden_dim = 77;
    assert_int_equal(align_config_save_pretrained(&config, folder, &err), ALIGN_OK);
    assert_int_equal(align_config_from_pretrained(&again, folder, &err), ALIGN_OK);
    assert_int_equal(again.text_config.hidden_size, 36);
    align_config_done(&again);
    assert_int_equal(align_config_from_pretrained(&again, path, &err), ALIGN_OK);
    align_config_done(&again);
    assert_int_equal(align_text_config_from_pretrained(&text, folder, &err), ALIGN_OK);
    assert_int_equal(text.hidden_size, 36);
    assert_int_equal(align_vision_config_from_pretrained(&vision, folder, &err), ALIGN_OK);
    assert_int_equal(vision.hidden_dim, 77);
    assert_int_equal(align_config_from_text_vision_configs(&again, &text, &vision, &err), ALIGN_OK);
    assert_int_equal(again.vision_config.hidden_dim, 77);
    assert_int_equal(again.projection_dim, 640);
    align_config_done(&again);
    assert_int_equal(align_config_from_pretrained(&again, missing, &err), ALIGN_ERROR_NOT_FOUND);
    assert_non_null(strstr(err.message, missing));
    assert_int_equal(align_text_config_save_pretrained(&text, folder, &err), ALIGN_OK);
    assert_int_equal(align_vision_config_save_pretrained(&vision, path, &err), ALIGN_ERROR_IO);
    align_text_config_done(&text);
    align_vision_config_done(&vision);
    align_config_done(&config);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
}

/* ---- validation ---- */

/* A change to the defaults, as JSON, and the words that the message must have; NULL: it is valid. */
static const struct {
    const char *json, *words;
} judged[] = {
    {"{}", NULL},
    {"{\"text_config\": {\"vocab_size\": 0}}", "text_config: vocab_size: expected a number from 1"},
    {"{\"text_config\": {\"vocab_size\": -5}}", "found -5"},
    {"{\"text_config\": {\"vocab_size\": 3000000000}}", "found 3000000000"},
    {"{\"text_config\": {\"hidden_size\": 0}}", "hidden_size"},
    {"{\"text_config\": {\"hidden_size\": 770}}", "hidden_size: 770 is not a multiple of num_attention_heads, 12"},
    {"{\"text_config\": {\"num_attention_heads\": 0}}", "num_attention_heads"},
    {"{\"text_config\": {\"num_attention_heads\": 2147483647, \"hidden_size\": 2147483647}}", "num_attention_heads"},
    {"{\"text_config\": {\"num_attention_heads\": -12}}", "num_attention_heads"},
    {"{\"text_config\": {\"num_hidden_layers\": -1}}", "num_hidden_layers"},
    {"{\"text_config\": {\"num_hidden_layers\": 1000000}}", "num_hidden_layers"},
    {"{\"text_config\": {\"num_hidden_layers\": 0}}", NULL},
    {"{\"text_config\": {\"intermediate_size\": 0}}", "intermediate_size"},
    {"{\"text_config\": {\"max_position_embeddings\": 0}}", "max_position_embeddings"},
    {"{\"text_config\": {\"type_vocab_size\": 0}}", "type_vocab_size"},
    {"{\"text_config\": {\"hidden_act\": \"swash\"}}", "hidden_act: unknown activation \"swash\""},
    {"{\"text_config\": {\"hidden_act\": \"selu\"}}", NULL},
    {"{\"text_config\": {\"hidden_dropout_prob\": 1.5}}", "hidden_dropout_prob: expected a number from 0 to 1"},
    {"{\"text_config\": {\"attention_probs_dropout_prob\": -0.1}}", "attention_probs_dropout_prob"},
    {"{\"text_config\": {\"initializer_range\": -1}}", "initializer_range"},
    {"{\"text_config\": {\"layer_norm_eps\": -1}}", "layer_norm_eps"},
    {"{\"text_config\": {\"pad_token_id\": 30522}}", "pad_token_id: 30522 is not within vocab_size, 30522"},
    {"{\"text_config\": {\"pad_token_id\": 30521}}", NULL},
    {"{\"text_config\": {\"pad_token_id\": -30522}}", NULL},
    {"{\"text_config\": {\"pad_token_id\": -30523}}", "pad_token_id"},
    {"{\"text_config\": {\"pad_token_id\": null}}", NULL},
    {"{\"text_config\": {\"position_embedding_type\": \"anything\"}}", NULL},
    {"{\"text_config\": {\"add_cross_attention\": true}}", "add_cross_attention"},
    {"{\"text_config\": {\"add_cross_attention\": true, \"is_decoder\": true}}", NULL},
    {"{\"text_config\": {\"pruned_heads\": {\"0\": [1, 11]}}}", NULL},
    {"{\"text_config\": {\"pruned_heads\": {\"12\": [1]}}}", "pruned_heads"},
    {"{\"text_config\": {\"pruned_heads\": {\"x\": [1]}}}", "pruned_heads"},
    {"{\"text_config\": {\"pruned_heads\": {\"0\": [12]}}}", "pruned_heads"},
    {"{\"text_config\": {\"pruned_heads\": {\"0\": [-1]}}}", "pruned_heads"},
    {"{\"text_config\": {\"pruned_heads\": {\"0\": 1}}}", "pruned_heads"},
    {"{\"text_config\": {\"pruned_heads\": [1]}}", "pruned_heads"},
    {"{\"text_config\": {\"pruned_heads\": {\"1\": [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]}}}", "keeps no head"},
    {"{\"vision_config\": {\"num_channels\": 0}}", "vision_config: num_channels"},
    {"{\"vision_config\": {\"depth_divisor\": 0}}", "depth_divisor"},
    {"{\"vision_config\": {\"hidden_dim\": 0}}", "hidden_dim"},
    {"{\"vision_config\": {\"width_coefficient\": 1e300}}", "width_coefficient"},
    {"{\"vision_config\": {\"depth_coefficient\": 1e300}}", "num_block_repeats"},
    {"{\"vision_config\": {\"depth_coefficient\": 600}}", "num_block_repeats"},
    {"{\"vision_config\": {\"depth_coefficient\": 0}, \"projection_dim\": 64}", NULL},
    {"{\"vision_config\": {\"squeeze_expansion_ratio\": 1e12}}", "squeeze_expansion_ratio"},
    {"{\"vision_config\": {\"strides\": [1, 2, 2, 2, 1, 2]}}", "strides: expected at least 7 numbers"},
    {"{\"vision_config\": {\"strides\": [1, 2, 2, 2, 1, 2, 1, 9]}}", NULL},
    {"{\"vision_config\": {\"strides\": [1, 2, 2, 2, 1, 2, 3]}}", "strides[6]: expected a number from 1 to 2, found 3"},
    {"{\"vision_config\": {\"strides\": [0, 2, 2, 2, 1, 2, 1]}}", "strides[0]"},
    {"{\"vision_config\": {\"kernel_sizes\": [3, 3, 5, 3, 5, 5, 0]}}", "kernel_sizes[6]"},
    {"{\"vision_config\": {\"kernel_sizes\": []}}", "kernel_sizes"},
    {"{\"vision_config\": {\"out_channels\": [16]}}", "out_channels"},
    {"{\"vision_config\": {\"out_channels\": [16, 24, 40, 80, 112, 192, -1]}}", "out_channels[6]"},
    {"{\"vision_config\": {\"in_channels\": [32, 16, 24, 40, 80, 112, 100]}}",
     "in_channels[6]: 100 becomes 200 channels, but the stage before gives 384"},
    {"{\"vision_config\": {\"in_channels\": [16, 16, 24, 40, 80, 112, 192]}}", "the stem gives 64"},
    {"{\"vision_config\": {\"num_block_repeats\": [1, 2, 2, 3, 3, 4, -1]}}", "num_block_repeats[6]"},
    {"{\"vision_config\": {\"num_block_repeats\": [1, 2, 2, 3, 3, 4, 0]}, \"projection_dim\": 384}", NULL},
    {"{\"vision_config\": {\"expand_ratios\": [1, 6, 6, 6, 6, 6, 0]}}", "expand_ratios[6]"},
    {"{\"vision_config\": {\"expand_ratios\": [1, 6, 6, 6, 6, 6, 2147483647]}}", "expand_ratios[6]"},
    {"{\"vision_config\": {\"hidden_act\": \"\"}}", "hidden_act"},
    {"{\"vision_config\": {\"pooling_type\": \"sum\"}}", "pooling_type: expected \"mean\" or \"max\", found \"sum\""},
    {"{\"vision_config\": {\"batch_norm_eps\": -1}}", "batch_norm_eps"},
    {"{\"vision_config\": {\"drop_connect_rate\": 2}}", "drop_connect_rate"},
    {"{\"vision_config\": {\"initializer_range\": -0.1}}", "initializer_range"},
    {"{\"projection_dim\": 0}", "projection_dim"},
    {"{\"projection_dim\": 512}", "projection_dim: expected 640, the vision tower's width, found 512"},
    {"{\"initializer_range\": -1}", "initializer_range"},
    {"{\"text_config\": {\"vocab_size\": 2147483647, \"hidden_size\": 2147483640}}", "elements"},
    {"{\"text_config\": {\"intermediate_size\": 2147483647, \"num_hidden_layers\": 4096}}", "elements"},
};

static void test_validate(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof judged / sizeof *judged; i++) {
        align_error err = ALIGN_ERROR_INIT;
        align_config config;
        assert_int_equal(align_config_from_json(&config, judged[i].json, strlen(judged[i].json), &err), ALIGN_OK);
        const align_status status = align_config_validate(&config, &err);
        const bool right =
            judged[i].words ? status != ALIGN_OK && strstr(err.message, judged[i].words) != NULL : status == ALIGN_OK;
        if (!right)
            fail_msg("%s: %s", judged[i].json, err.message);
        const bool text = align_text_config_validate(&config.text_config, NULL) == ALIGN_OK;
        const bool vision = align_vision_config_validate(&config.vision_config, NULL) == ALIGN_OK;
        if (!judged[i].words)
            assert_true(text && vision);
        align_config_done(&config);
    }
}

static void test_validate_not_a_number(void **state)
{
    (void)state;
    align_error err = ALIGN_ERROR_INIT;
    align_config config;
    assert_int_equal(align_config_init(&config, NULL), ALIGN_OK);
    double *const fields[] = {&config.temperature_init_value,
                              &config.initializer_range,
                              &config.text_config.layer_norm_eps,
                              &config.text_config.hidden_dropout_prob,
                              &config.vision_config.width_coefficient,
                              &config.vision_config.depth_coefficient,
                              &config.vision_config.squeeze_expansion_ratio,
                              &config.vision_config.batch_norm_momentum};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        const double before = *fields[i];
        *fields[i] = NAN;
        assert_int_equal(align_config_validate(&config, &err), ALIGN_ERROR_INVALID_ARGUMENT);
        *fields[i] = INFINITY;
        assert_int_equal(align_config_validate(&config, &err), ALIGN_ERROR_INVALID_ARGUMENT);
        *fields[i] = before;
    }
    assert_int_equal(align_config_validate(&config, &err), ALIGN_OK);
    align_config_done(&config);
}

/* ---- memory ---- */

static align_status work(void)
{
    static const char json[] = "{\"num_labels\": 3, \"unknown\": {\"b\": [1, 2], \"a\": 0},"
                               " \"text_config\": {\"pruned_heads\": {\"1\": [0]}}, \"vision_config\": {}}";
    align_config config = {0}, copy = {0};
    char *text = NULL;
    align_status status = align_config_from_json(&config, json, strlen(json), NULL);
    if (status == ALIGN_OK)
        status = align_config_copy(&copy, &config, NULL);
    if (status == ALIGN_OK)
        status = align_config_validate(&copy, NULL);
    if (status == ALIGN_OK)
        status = align_config_to_json(&copy, &text, NULL);
    align_free(text);
    align_config_done(&config);
    align_config_done(&copy);
    return status;
}

static void test_out_of_memory(void **state)
{
    (void)state;
    long n = 0;
    align_status status;
    do {
        al_memory_fail_at(++n);
        status = work();
        al_memory_fail_at(0);
        assert_true(status == ALIGN_OK || status == ALIGN_ERROR_OUT_OF_MEMORY);
    } while (status != ALIGN_OK);
    assert_true(n > 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_goldens),       cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_rounding),      cmocka_unit_test(test_activations),
        cmocka_unit_test(test_wrong_types),   cmocka_unit_test(test_whole_reals),
        cmocka_unit_test(test_unwritable),    cmocka_unit_test(test_files),
        cmocka_unit_test(test_validate),      cmocka_unit_test(test_validate_not_a_number),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
