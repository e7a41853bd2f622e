/* config_fields.c: the tables of config.json's keys. */
#include "model/config_fields.h"

#include "base/memory.h"
#include "base/status.h"
#include "model/extra.h"

#include <stddef.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* clang-format off */
#define FIELD(type, kind, name) {#name, AL_FIELD_##kind, offsetof(type, name), 0}
#define TEXT(kind, name)        FIELD(align_text_config, kind, name)
#define VISION(kind, name)      FIELD(align_vision_config, kind, name)
#define ALIGN(kind, name)       FIELD(align_config, kind, name)
/* clang-format on */

static const al_field text_fields[] = {
    TEXT(INT, vocab_size),
    TEXT(INT, hidden_size),
    TEXT(INT, num_hidden_layers),
    TEXT(INT, num_attention_heads),
    TEXT(INT, intermediate_size),
    TEXT(NAME, hidden_act),
    TEXT(DOUBLE, hidden_dropout_prob),
    TEXT(DOUBLE, attention_probs_dropout_prob),
    TEXT(INT, max_position_embeddings),
    TEXT(INT, type_vocab_size),
    TEXT(DOUBLE, initializer_range),
    TEXT(DOUBLE, layer_norm_eps),
    {"pad_token_id", AL_FIELD_INT_OR_NULL, offsetof(align_text_config, pad_token_id),
     offsetof(align_text_config, has_pad_token_id)},
    TEXT(NAME, position_embedding_type),
    TEXT(BOOL, use_cache),
    TEXT(BOOL, is_decoder),
    TEXT(BOOL, add_cross_attention),
    TEXT(INT, chunk_size_feed_forward),
};

static const al_field vision_fields[] = {
    VISION(INT, num_channels),
    VISION(INT, image_size),
    VISION(DOUBLE, width_coefficient),
    VISION(DOUBLE, depth_coefficient),
    VISION(INT, depth_divisor),
    VISION(INT_LIST, kernel_sizes),
    VISION(INT_LIST, in_channels),
    VISION(INT_LIST, out_channels),
    VISION(INT_LIST, depthwise_padding),
    VISION(INT_LIST, strides),
    VISION(INT_LIST, num_block_repeats),
    VISION(INT_LIST, expand_ratios),
    VISION(DOUBLE, squeeze_expansion_ratio),
    VISION(NAME, hidden_act),
    VISION(INT, hidden_dim),
    VISION(NAME, pooling_type),
    VISION(DOUBLE, initializer_range),
    VISION(DOUBLE, batch_norm_eps),
    VISION(DOUBLE, batch_norm_momentum),
    VISION(DOUBLE, drop_connect_rate),
};

static const al_field align_fields[] = {
    ALIGN(INT, projection_dim),
    ALIGN(DOUBLE, temperature_init_value),
    ALIGN(DOUBLE, initializer_range),
};

const al_config_class al_text_config_class = {"align_text_model", COUNT(text_fields), text_fields, "text_config",
                                              false};
const al_config_class al_vision_config_class = {"align_vision_model", COUNT(vision_fields), vision_fields,
                                                "vision_config", true};
const al_config_class al_align_config_class = {"align", COUNT(align_fields), align_fields, NULL, false};

const al_field *al_config_find_field(const al_config_class *class, const char *key)
{
    for (size_t i = 0; i < class->n_fields; i++)
        if (strcmp(class->fields[i].key, key) == 0)
            return &class->fields[i];
    return NULL;
}

/* id2label and label2id are added by their rule. */
static const char generic_defaults[] =
    "{\"_name_or_path\": \"\", \"add_cross_attention\": false, \"architectures\": null, \"bad_words_ids\": null,"
    " \"begin_suppress_tokens\": null, \"bos_token_id\": null, \"chunk_size_feed_forward\": 0,"
    " \"cross_attention_hidden_size\": null, \"decoder_start_token_id\": null, \"diversity_penalty\": 0.0,"
    " \"do_sample\": false, \"early_stopping\": false, \"encoder_no_repeat_ngram_size\": 0, \"eos_token_id\": null,"
    " \"exponential_decay_length_penalty\": null, \"finetuning_task\": null, \"forced_bos_token_id\": null,"
    " \"forced_eos_token_id\": null, \"is_decoder\": false, \"is_encoder_decoder\": false, \"length_penalty\": 1.0,"
    " \"max_length\": 20, \"min_length\": 0, \"no_repeat_ngram_size\": 0, \"num_beam_groups\": 1, \"num_beams\": 1,"
    " \"num_return_sequences\": 1, \"output_attentions\": false, \"output_hidden_states\": false,"
    " \"output_scores\": false, \"pad_token_id\": null, \"prefix\": null, \"problem_type\": null,"
    " \"pruned_heads\": {}, \"remove_invalid_values\": false, \"repetition_penalty\": 1.0, \"return_dict\": true,"
    " \"return_dict_in_generate\": false, \"sep_token_id\": null, \"suppress_tokens\": null,"
    " \"task_specific_params\": null, \"temperature\": 1.0, \"tf_legacy_loss\": false, \"tie_encoder_decoder\": false,"
    " \"tie_word_embeddings\": true, \"tokenizer_class\": null, \"top_k\": 50, \"top_p\": 1.0, \"torch_dtype\": null,"
    " \"torchscript\": false, \"typical_p\": 1.0, \"use_bfloat16\": false}";

#define DEFAULT_LABELS 2

align_status al_config_generic_defaults(json_t **out, align_error *err)
{
    align_status status = ALIGN_OK;
    json_t *id2label = NULL, *label2id = NULL;
    *out = json_loads(generic_defaults, 0, NULL);
    TRY(al_config_default_labels(&id2label, &label2id, DEFAULT_LABELS, err));
    if (!*out || json_object_set(*out, "id2label", id2label) != 0 || json_object_set(*out, "label2id", label2id) != 0)
        status = al_extra_no_memory(err);
done:
    json_decref(id2label);
    json_decref(label2id);
    if (status != ALIGN_OK) {
        json_decref(*out);
        *out = NULL;
    }
    return status;
}

align_status al_config_default_labels(json_t **id2label, json_t **label2id, int64_t count, align_error *err)
{
    align_status status = ALIGN_OK;
    char *id = NULL, *label = NULL;
    *id2label = json_object();
    *label2id = json_object();
    for (int64_t i = 0; i < count; i++) {
        id = al_format("%" PRId64, i);
        label = al_format("LABEL_%" PRId64, i);
        if (!id || !label || json_object_set_new(*id2label, id, json_string(label)) != 0 ||
            json_object_set_new(*label2id, label, json_integer(i)) != 0) {
            status = al_extra_no_memory(err);
            break;
        }
        al_free(id);
        al_free(label);
        id = label = NULL;
    }
    if (!*id2label || !*label2id)
        status = al_extra_no_memory(err);
    if (status != ALIGN_OK) {
        json_decref(*id2label);
        json_decref(*label2id);
        *id2label = *label2id = NULL;
    }
    al_free(id);
    al_free(label);
    return status;
}

bool al_config_is_transient(const char *key)
{
    static const char *const transient[] = {"model_type",
                                            "transformers_version",
                                            "_attn_implementation_internal",
                                            "attn_implementation",
                                            "_attn_implementation",
                                            "_commit_hash",
                                            "_auto_class",
                                            "xla_device"};
    for (size_t i = 0; i < COUNT(transient); i++)
        if (strcmp(transient[i], key) == 0)
            return true;
    return false;
}
