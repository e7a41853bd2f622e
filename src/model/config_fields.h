#ifndef AL_CONFIG_FIELDS_H
#define AL_CONFIG_FIELDS_H
/*
 * config_fields.h: the fields of the config structs as tables (key, type, place), and what else the three classes of
 * config.json have in common. config_read.c and config_write.c work on these alone.
 */
#include <align/config.h>
#include <jansson.h>

typedef enum al_field_type {
    AL_FIELD_INT,        /* int64_t */
    AL_FIELD_DOUBLE,     /* double */
    AL_FIELD_BOOL,       /* bool */
    AL_FIELD_NAME,       /* char [ALIGN_NAME_SIZE] */
    AL_FIELD_INT_LIST,   /* align_int_list */
    AL_FIELD_INT_OR_NULL /* int64_t, and whether it is there in has_offset */
} al_field_type;

typedef struct al_field {
    const char *key;
    al_field_type type;
    size_t offset, has_offset;
} al_field;

/* One of AlignTextConfig, AlignVisionConfig and AlignConfig without its towers. */
typedef struct al_config_class {
    const char *model_type;
    size_t n_fields;
    const al_field *fields;
    const char *nested_key; /* where an AlignConfig holds it; NULL for AlignConfig itself */
    bool has_layer_count;   /* the vision tower's num_hidden_layers, which is computed and never read */
} al_config_class;

extern const al_config_class al_text_config_class, al_vision_config_class, al_align_config_class;

const al_field *al_config_find_field(const al_config_class *class, const char *key);

/* PretrainedConfig().to_dict(): the keys every config has, with their defaults. *out is for json_decref. */
align_status al_config_generic_defaults(json_t **out, align_error *err);

/* The labels that num_labels stands for. Both are for json_decref. */
align_status al_config_default_labels(json_t **id2label, json_t **label2id, int64_t count, align_error *err);

/* Whether a key of config.json names something of the reference's run time and is never kept. */
bool al_config_is_transient(const char *key);
#endif
