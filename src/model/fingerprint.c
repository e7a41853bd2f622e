/* fingerprint.c: see fingerprint.h. */
#include "model/fingerprint.h"

#include "base/hash.h"
#include "base/status.h"
#include "model/config_fields.h"

#include <stdio.h>
#include <string.h>

/* A small tensor is looked at as a whole; of a larger one its ends, and samples spread over it: few of the pages of a
 * file that is mapped. */
#define WHOLE_BYTES  ((size_t)16 << 10)
#define END_BYTES    ((size_t)2 << 10)
#define SAMPLES      16
#define SAMPLE_BYTES ((size_t)64)

static void stir(uint64_t *hash, const void *bytes, size_t size)
{
    *hash = al_hash(*hash, bytes, size);
}

/* ---- config ---- */

static void stir_field(uint64_t *hash, const al_field *field, const char *config)
{
    const char *value = config + field->offset;
    stir(hash, field->key, strlen(field->key) + 1);
    switch (field->type) {
    case AL_FIELD_INT:
    case AL_FIELD_DOUBLE:
        stir(hash, value, sizeof(int64_t));
        return;
    case AL_FIELD_BOOL:
        stir(hash, value, sizeof(bool));
        return;
    case AL_FIELD_NAME:
        stir(hash, value, strlen(value) + 1);
        return;
    case AL_FIELD_INT_LIST: {
        const align_int_list *list = (const void *)value;
        stir(hash, list->data, list->count * sizeof *list->data);
        return;
    }
    case AL_FIELD_INT_OR_NULL:
        stir(hash, config + field->has_offset, sizeof(bool));
        if (*(const bool *)(const void *)(config + field->has_offset))
            stir(hash, value, sizeof(int64_t));
        return;
    }
}

static void stir_config(uint64_t *hash, const al_config_class *class, const void *config)
{
    for (size_t i = 0; i < class->n_fields; i++)
        stir_field(hash, &class->fields[i], config);
}

/* ---- tensors ---- */

static void stir_samples(uint64_t *hash, const uint8_t *bytes, size_t size)
{
    if (size <= WHOLE_BYTES) {
        stir(hash, bytes, size);
        return;
    }
    stir(hash, bytes, END_BYTES);
    for (size_t i = 1; i <= SAMPLES; i++)
        stir(hash, bytes + size / (SAMPLES + 1) * i, SAMPLE_BYTES);
    stir(hash, bytes + size - END_BYTES, END_BYTES);
}

static align_status stir_param(void *user, const al_param *param, align_error *err)
{
    uint64_t *hash = (uint64_t *)user + param->owner;
    const align_tensor *tensor = param->slot;
    const int64_t head[] = {tensor->dtype, tensor->rank};
    (void)err;
    stir(hash, head, sizeof head);
    stir(hash, tensor->shape, (size_t)tensor->rank * sizeof *tensor->shape);
    stir_samples(hash, tensor->data, (size_t)align_tensor_elements(tensor) * align_dtype_size(tensor->dtype));
    return ALIGN_OK;
}

void al_fingerprint_measure(const align_model *model, uint64_t of[AL_FINGERPRINTS])
{
    al_model_params params = model->params; /* the walk hands out slots that may be written; stir_param reads them */
    if (model->layout) {
        memcpy(of, model->fingerprints, sizeof model->fingerprints);
        return;
    }
    for (int i = 0; i < AL_FINGERPRINTS; i++)
        of[i] = AL_HASH_START;
    stir_config(&of[ALIGN_TOWER_BOTH], &al_align_config_class, &model->config);
    stir_config(&of[ALIGN_TOWER_TEXT], &al_text_config_class, &model->config.text_config);
    stir_config(&of[ALIGN_TOWER_VISION], &al_vision_config_class, &model->config.vision_config);
    (void)al_params_visit(&params, &model->config, stir_param, of, NULL);
}

void align_model_fingerprint(const align_model *model, char out[ALIGN_FINGERPRINT_SIZE])
{
    uint64_t of[AL_FINGERPRINTS], all = AL_HASH_START;
    al_fingerprint_measure(model, of);
    if (model->tower == ALIGN_TOWER_BOTH)
        stir(&all, of, sizeof of);
    else
        stir(&all, &of[model->tower], sizeof *of);
    snprintf(out, ALIGN_FINGERPRINT_SIZE, "align-%016" PRIx64, all);
}
