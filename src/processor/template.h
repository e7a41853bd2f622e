#ifndef AL_TEMPLATE_H
#define AL_TEMPLATE_H
/*
 * template.h: what a row of ids looks like: "[CLS] A [SEP] B [SEP]", from tokenizer.json's post_processor.
 *
 * Reference: tokenizers 0.15.2, processors.TemplateProcessing and BertProcessing.
 */
#include "checkpoint/json.h"

typedef enum al_template_kind { AL_TEMPLATE_SPECIAL, AL_TEMPLATE_A, AL_TEMPLATE_B } al_template_kind;

typedef struct al_template_part {
    al_template_kind kind;
    uint32_t id; /* of a special token */
    uint32_t type_id;
} al_template_part;

typedef struct al_template {
    al_template_part *parts;
    size_t count;
    size_t added; /* how many parts are special */
} al_template;

/*
 * Reads both templates from a post_processor object. Each sequence of a template must be used once. Errors: FORMAT,
 * UNSUPPORTED (another type).
 */
align_status al_templates_load(al_template *single, al_template *pair, const al_json_object *post_processor,
                               align_error *err);
void al_template_done(al_template *template);

/* The post_processor object that the reference makes for a vocab.txt. */
align_status al_template_for_bert(json_t **out, const char *cls, uint32_t cls_id, const char *sep, uint32_t sep_id,
                                  align_error *err);
#endif
