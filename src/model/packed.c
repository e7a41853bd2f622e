/* packed.c: see packed.h. */
#include "model/packed.h"

#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/status.h"
#include "base/tensor.h"
#include "checkpoint/tensors.h"
#include "model/fingerprint.h"
#include "model/load.h"

#include <align/align.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FORMAT "align-packed"

/* Indexed by align_tower. */
static const char *const weights_names[] = {NULL, "packed.text_model", "packed.vision_model"};
static const char *const prefixes[] = {"", "text_model.", "vision_model."};
static const char *const sizes_keys[] = {"sizes.head", "sizes.text_model", "sizes.vision_model"};
static const char *const fingerprint_keys[] = {"fingerprint.head", "fingerprint.text_model",
                                               "fingerprint.vision_model"};
enum { OWNERS = AL_FINGERPRINTS };

static bool has_owner(align_tower tower, align_tower owner)
{
    return tower == ALIGN_TOWER_BOTH || tower == owner;
}

/* ---- sizes ---- */

/* One number a tower (and one for what joins them) of all that decides what its bytes mean beside the layout: FNV-1a
 * over the shapes in state_dict order, and the epsilon that is folded into the convolutions. */
typedef struct sizes {
    uint64_t of[OWNERS];
} sizes;

static void stir(uint64_t *hash, const void *bytes, size_t size)
{
    *hash = al_hash(*hash, bytes, size);
}

static align_status stir_param(void *user, const al_param *param, align_error *err)
{
    sizes *f = user;
    (void)err;
    const int64_t rank = param->rank;
    stir(&f->of[param->owner], &rank, sizeof rank);
    stir(&f->of[param->owner], param->shape, (size_t)param->rank * sizeof *param->shape);
    return ALIGN_OK;
}

static align_status measure(sizes *out, const align_model *model, align_error *err)
{
    al_model_params params = model->params; /* the walk hands out slots that may be written; stir_param reads none */
    for (int i = 0; i < OWNERS; i++)
        out->of[i] = AL_HASH_START;
    stir(&out->of[ALIGN_TOWER_VISION], &model->config.vision_config.batch_norm_eps, sizeof(double));
    return al_params_visit(&params, &model->config, stir_param, out, err);
}

#define DIGITS 16

static void format_number(char text[DIGITS + 1], uint64_t number)
{
    snprintf(text, DIGITS + 1, "%016" PRIx64, number);
}

/* ---- reading ---- */

align_status al_packed_open(align_tensors **out, const char *folder, align_error *err)
{
    *out = NULL;
    char *path = al_join_path(folder, AL_PACKED_FILE);
    if (!path)
        return al_error_no_memory(err, strlen(folder));
    const align_status status = al_is_file(path) ? align_tensors_open(out, path, err) : ALIGN_OK;
    al_free(path);
    return status;
}

const align_tensor *al_packed_weights(const align_tensors *file, align_tower tower)
{
    return align_tensors_get(file, weights_names[tower]);
}

const char *al_packed_name(align_tower tower)
{
    return weights_names[tower];
}

static align_status get_metadata(const char **out, const align_tensors *file, const char *key, align_error *err)
{
    *out = align_tensors_metadata(file, key);
    return *out ? ALIGN_OK : al_error_set(err, ALIGN_ERROR_FORMAT, "%s: no %s in its metadata", AL_PACKED_FILE, key);
}

static align_status read_precision(align_model *model, const align_tensors *file, align_precision asked,
                                   align_error *err)
{
    align_status status = ALIGN_OK;
    const char *name;
    TRY(get_metadata(&name, file, "precision", err));
    if (align_precision_from_name(&model->precision, name, err) != ALIGN_OK)
        FAIL(err, ALIGN_ERROR_FORMAT, "%s: precision \"%s\" in its metadata is none", AL_PACKED_FILE, name);
    if (asked != ALIGN_PRECISION_AUTO && asked != model->precision)
        FAIL(err, ALIGN_ERROR_UNSUPPORTED,
             "%s: precision %s asked for, but the weights are packed as %s (pack the original model anew for another)",
             AL_PACKED_FILE, align_precision_name(asked), name);
done:
    return status;
}

static align_status check_layout(align_model *model, const align_tensors *file, const al_kernels *kernels,
                                 align_error *err)
{
    align_status status = ALIGN_OK;
    const char *found;
    char wanted[AL_LAYOUT_SIZE];
    TRY(al_check_products(kernels, model->precision, err));
    TRY(get_metadata(&found, file, "layout", err));
    al_packing_layout(kernels, model->precision, wanted);
    if (strcmp(found, wanted) != 0)
        FAIL(err, ALIGN_ERROR_UNSUPPORTED,
             "%s: packed for other kernels than the %s ones used here: expected layout \"%s\", found \"%.*s\" (`align "
             "convert --pack` of the original model makes a fitting one)",
             AL_PACKED_FILE, kernels->isa, wanted, AL_LAYOUT_SIZE, found);
    model->layout = al_strdup(found);
    if (!model->layout)
        status = al_error_no_memory(err, strlen(found));
done:
    return status;
}

static align_status check_sizes(const align_model *model, const align_tensors *file, align_error *err)
{
    align_status status = ALIGN_OK;
    sizes wanted;
    TRY(measure(&wanted, model, err));
    for (int i = 0; i < OWNERS; i++) {
        const char *found;
        char text[DIGITS + 1];
        if (!has_owner(model->tower, (align_tower)i))
            continue;
        TRY(get_metadata(&found, file, sizes_keys[i], err));
        format_number(text, wanted.of[i]);
        if (strcmp(text, found) != 0)
            FAIL(err, ALIGN_ERROR_MISMATCH,
                 "%s: packed from a model of other sizes (another config.json, or another choice of the pooler): "
                 "expected %s %s, found %.*s",
                 AL_PACKED_FILE, sizes_keys[i], text, DIGITS, found);
    }
done:
    return status;
}

static align_status check_weights(const align_tensors *file, align_tower tower, align_error *err)
{
    const align_tensor *found = al_packed_weights(file, tower);
    if (!found)
        return al_error_set(err, ALIGN_ERROR_FORMAT, "%s: tensor %s is missing", AL_PACKED_FILE, weights_names[tower]);
    if (found->dtype != ALIGN_U8 || found->rank != 1)
        return al_error_set(err, ALIGN_ERROR_FORMAT, "%s: tensor %s: expected U8 of rank 1, found %s of rank %d",
                            AL_PACKED_FILE, weights_names[tower], align_dtype_name(found->dtype), found->rank);
    return ALIGN_OK;
}

/* Whether a forward pass reads this tensor where it is stored. */
static bool is_read_in_place(const al_model_params *params, const align_tensor *slot)
{
    return slot == &params->temperature || slot == &params->text.word_embeddings ||
           slot == &params->text.position_embeddings || slot == &params->text.token_type_embeddings;
}

static align_status read_fingerprints(align_model *model, const align_tensors *file, align_error *err)
{
    for (int i = 0; i < OWNERS; i++) {
        const char *found;
        int used = 0;
        if (!has_owner(model->tower, (align_tower)i))
            continue;
        const align_status status = get_metadata(&found, file, fingerprint_keys[i], err);
        if (status != ALIGN_OK)
            return status;
        if (sscanf(found, "%16" SCNx64 "%n", &model->fingerprints[i], &used) != 1 || used != DIGITS || found[used])
            return al_error_set(err, ALIGN_ERROR_FORMAT, "%s: %s \"%.*s\" in its metadata is not a number of %d digits",
                                AL_PACKED_FILE, fingerprint_keys[i], 2 * DIGITS, found, DIGITS);
    }
    return ALIGN_OK;
}

typedef struct filler {
    align_model *model;
    const align_tensors *file;
} filler;

/* By its key, or in a file of both towers by the key with the tower's prefix. */
static const align_tensor *find(const filler *f, const char *name)
{
    const align_tensor *found = align_tensors_get(f->file, name);
    char longer[128];
    if (found || snprintf(longer, sizeof longer, "%s%s", prefixes[f->model->tower], name) >= (int)sizeof longer)
        return found;
    return align_tensors_get(f->file, longer);
}

static align_status fill_slot(void *user, const al_param *param, align_error *err)
{
    const filler *f = user;
    *param->slot = align_tensor_view(ALIGN_F32, param->rank, param->shape, NULL);
    if (!is_read_in_place(&f->model->params, param->slot))
        return ALIGN_OK;
    const align_tensor *found = find(f, param->name);
    if (!found)
        return al_error_set(err, ALIGN_ERROR_FORMAT, "%s: tensor %s is missing", AL_PACKED_FILE, param->name);
    if (!al_dtype_is_float(found->dtype) || found->rank != param->rank ||
        memcmp(found->shape, param->shape, (size_t)param->rank * sizeof *param->shape) != 0)
        return al_error_set(err, ALIGN_ERROR_FORMAT, "%s: tensor %s: not the floats of the config's shape",
                            AL_PACKED_FILE, param->name);
    *param->slot = *found;
    return ALIGN_OK;
}

align_status al_packed_load(align_model *model, const align_tensors *file, const al_kernels *kernels,
                            align_precision asked, align_error *err)
{
    align_status status = ALIGN_OK;
    filler f = {model, file};
    const char *format = align_tensors_metadata(file, "format");
    if (!format || strcmp(format, FORMAT) != 0)
        FAIL(err, ALIGN_ERROR_FORMAT, "%s: expected format \"" FORMAT "\" in its metadata, found \"%.64s\"",
             AL_PACKED_FILE, format ? format : "");
    TRY(read_precision(model, file, asked, err));
    TRY(check_layout(model, file, kernels, err));
    TRY(check_sizes(model, file, err));
    TRY(read_fingerprints(model, file, err));
    for (int tower = ALIGN_TOWER_TEXT; tower < OWNERS; tower++)
        if (has_owner(model->tower, (align_tower)tower))
            TRY(check_weights(file, (align_tower)tower, err));
    TRY(al_params_visit(&model->params, &model->config, fill_slot, &f, err));
    TRY(align_tensors_new(&model->state, err));
    for (size_t i = 0; i < align_tensors_count(file); i++)
        TRY(align_tensors_add_view(model->state, align_tensors_name(file, i), align_tensors_at(file, i), err));
done:
    return status;
}

/* ---- writing ---- */

typedef struct packer {
    al_model_params params; /* a copy, since the walk hands out slots that may be written */
    align_tensors *parts;
} packer;

static align_status add_weights(align_tensors *parts, align_tower tower, const al_arena *arena, align_error *err)
{
    const int64_t bytes = (int64_t)arena->peak;
    const align_tensor weights = align_tensor_view(ALIGN_U8, 1, &bytes, arena->base);
    return align_tensors_add_view(parts, weights_names[tower], &weights, err);
}

static align_status add_param(void *user, const al_param *param, align_error *err)
{
    packer *p = user;
    return is_read_in_place(&p->params, param->slot) ? align_tensors_add_view(p->parts, param->name, param->slot, err)
                                                     : ALIGN_OK;
}

static align_status add_metadata(align_tensors *parts, const align_model *model, align_error *err)
{
    align_status status = ALIGN_OK;
    char layout[AL_LAYOUT_SIZE];
    sizes shapes;
    uint64_t fingerprints[OWNERS];
    al_packing_layout(al_kernels_get(), model->precision, layout);
    TRY(al_tensors_set_metadata(parts, "format", FORMAT, err));
    TRY(al_tensors_set_metadata(parts, "precision", align_precision_name(model->precision), err));
    TRY(al_tensors_set_metadata(parts, "layout", layout, err));
    TRY(al_tensors_set_metadata(parts, "align_version", align_version(), err));
    TRY(measure(&shapes, model, err));
    al_fingerprint_measure(model, fingerprints);
    for (int i = 0; i < OWNERS; i++) {
        char text[DIGITS + 1];
        if (!has_owner(model->tower, (align_tower)i))
            continue;
        format_number(text, shapes.of[i]);
        TRY(al_tensors_set_metadata(parts, sizes_keys[i], text, err));
        format_number(text, fingerprints[i]);
        TRY(al_tensors_set_metadata(parts, fingerprint_keys[i], text, err));
    }
done:
    return status;
}

align_status al_packed_save(const align_model *model, const char *folder, align_error *err)
{
    align_status status = ALIGN_OK;
    packer p = {.params = model->params};
    char *path = al_join_path(folder, AL_PACKED_FILE);
    if (!path) {
        status = al_error_no_memory(err, strlen(folder));
        goto done;
    }
    TRY(align_tensors_new(&p.parts, err));
    TRY(add_metadata(p.parts, model, err));
    if (model->text)
        TRY(add_weights(p.parts, ALIGN_TOWER_TEXT, al_text_tower_weights(model->text), err));
    if (model->vision)
        TRY(add_weights(p.parts, ALIGN_TOWER_VISION, al_vision_tower_weights(model->vision), err));
    TRY(al_params_visit(&p.params, &model->config, add_param, &p, err));
    TRY(al_tensors_save_aligned(p.parts, AL_ARENA_ALIGNMENT, path, err));
done:
    align_tensors_free(p.parts);
    al_free(path);
    return status;
}

align_status al_packed_remove(const char *folder, align_error *err)
{
    align_status status = ALIGN_OK;
    char *path = al_join_path(folder, AL_PACKED_FILE);
    if (!path)
        return al_error_no_memory(err, strlen(folder));
    if (unlink(path) != 0 && errno != ENOENT)
        status =
            al_error_set(err, ALIGN_ERROR_IO, "%s: cannot remove what an earlier save left: %s", path, strerror(errno));
    al_free(path);
    return status;
}
