/*
 * processor.c: AlignProcessor, the two halves under one roof: texts to ids by the tokenizer, pictures to pixel_values
 * by the image processor's config, both into one collection named as the model's arguments are.
 */
#include "base/file.h"
#include "base/memory.h"
#include "base/status.h"
#include "checkpoint/json.h"
#include "checkpoint/tensors.h"
#include "processor/image.h"
#include "processor/image_config.h"
#include "processor/tokenizer.h"

#include <string.h>

#define PROCESSOR_CLASS "AlignProcessor"

struct align_processor {
    char *folder;               /* for messages */
    align_tokenizer *tokenizer; /* NULL: absent */
    bool has_images;
    align_image_processor_config images;
    json_t *images_tree; /* as it was read: unknown keys are saved again */
};

/* ---- opening and saving ---- */

static align_status read_image_half(align_processor *p, const char *folder, align_error *err)
{
    align_status status = ALIGN_OK;
    char *path = al_join_path(folder, AL_IMAGE_CONFIG_FILE);
    if (!path)
        return al_error_no_memory(err, strlen(folder));
    if (al_is_file(path)) {
        TRY(al_json_load(&p->images_tree, path, err));
        TRY(al_image_config_read(&p->images, p->images_tree, path, err));
        p->has_images = true;
    }
done:
    al_free(path);
    return status;
}

static align_status read_text_half(align_processor *p, const char *folder, align_error *err)
{
    align_status status = ALIGN_OK;
    char *file = al_join_path(folder, "tokenizer.json"), *vocabulary = al_join_path(folder, "vocab.txt");
    if (!file || !vocabulary)
        status = al_error_no_memory(err, strlen(folder));
    else if (al_is_file(file) || al_is_file(vocabulary))
        status = align_tokenizer_from_pretrained(&p->tokenizer, folder, err);
    al_free(file);
    al_free(vocabulary);
    return status;
}

align_status align_processor_from_pretrained(align_processor **out, const char *folder, align_error *err)
{
    align_status status = ALIGN_OK;
    align_processor *p = NULL;
    if (!out || !folder)
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "no folder, or nowhere to put the processor");
    *out = NULL;
    p = al_calloc(1, sizeof *p);
    if (p)
        p->folder = al_strdup(folder);
    if (!p || !p->folder) {
        status = al_error_no_memory(err, sizeof *p + strlen(folder));
        goto done;
    }
    TRY(read_image_half(p, folder, err));
    TRY(read_text_half(p, folder, err));
    if (!p->has_images && !p->tokenizer)
        FAIL(err, ALIGN_ERROR_NOT_FOUND,
             "%s: no processor: neither " AL_IMAGE_CONFIG_FILE " nor tokenizer.json nor vocab.txt is there", folder);
    *out = p;
    p = NULL;
done:
    align_processor_free(p);
    return status;
}

void align_processor_free(align_processor *p)
{
    if (!p)
        return;
    align_tokenizer_free(p->tokenizer);
    json_decref(p->images_tree);
    al_free(p->folder);
    al_free(p);
}

align_status align_processor_save_pretrained(const align_processor *p, const char *folder, align_error *err)
{
    align_status status = ALIGN_OK;
    if (!p || !folder)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "no processor to save, or no folder to save it in");
    if (p->has_images)
        TRY(al_image_config_write(&p->images, p->images_tree, PROCESSOR_CLASS, folder, err));
    if (p->tokenizer)
        TRY(al_tokenizer_save(p->tokenizer, folder, PROCESSOR_CLASS, err));
done:
    return status;
}

const align_tokenizer *align_processor_tokenizer(const align_processor *p)
{
    return p->tokenizer;
}

const align_image_processor_config *align_processor_image_processor(const align_processor *p)
{
    return p->has_images ? &p->images : NULL;
}

/* ---- calling ---- */

static align_status add_texts(const align_processor *p, align_tensors *tensors, const char *const *texts,
                              const char *const *pairs, size_t count, const align_encode_options *options,
                              align_error *err)
{
    align_status status = ALIGN_OK;
    align_encoding encoding = {0};
    if (!p->tokenizer)
        return al_error_set(err, ALIGN_ERROR_NOT_FOUND,
                            "%s: no tokenizer: neither tokenizer.json nor vocab.txt is there", p->folder);
    TRY(align_tokenizer_encode(p->tokenizer, texts, pairs, count, options, &encoding, err));
    if (encoding.length < 0)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT,
             "the texts come out with different numbers of tokens: pad them to one length and truncate longer ones");
    const int64_t shape[] = {(int64_t)encoding.rows, encoding.length};
    const align_tensor ids = align_tensor_view(ALIGN_I64, 2, shape, encoding.input_ids),
                       types = align_tensor_view(ALIGN_I64, 2, shape, encoding.token_type_ids),
                       mask = align_tensor_view(ALIGN_I64, 2, shape, encoding.attention_mask);
    TRY(align_tensors_add(tensors, "input_ids", &ids, err));
    TRY(align_tensors_add(tensors, "token_type_ids", &types, err));
    TRY(align_tensors_add(tensors, "attention_mask", &mask, err));
done:
    align_encoding_done(&encoding);
    return status;
}

/* The shape of all pictures together; they must agree. */
static align_status batch_shape(const align_processor *p, const align_image *images, size_t count, int64_t shape[4],
                                align_error *err)
{
    align_status status = ALIGN_OK;
    for (size_t i = 0; i < count; i++) {
        int64_t height, width;
        TRY(al_image_check(&images[i], err));
        align_image_processor_output_size(&p->images, images[i].height, images[i].width, &height, &width);
        const int64_t channels = images[i].channels;
        if (i == 0) {
            const int64_t first[] = {(int64_t)count, channels, height, width};
            memcpy(shape, first, sizeof first);
        } else if (channels != shape[1] || height != shape[2] || width != shape[3]) {
            FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT,
                 "the pictures come out with different shapes: [%" PRId64 ", %" PRId64 ", %" PRId64
                 "] for the first, [%" PRId64 ", %" PRId64 ", %" PRId64 "] for number %zu",
                 shape[1], shape[2], shape[3], channels, height, width, i);
        }
    }
done:
    if (status != ALIGN_OK)
        al_error_prefix(err, "images");
    return status;
}

static align_status add_images(const align_processor *p, align_tensors *tensors, const align_image *images,
                               size_t count, align_error *err)
{
    align_status status = ALIGN_OK;
    float *pixels = NULL;
    int64_t shape[4];
    size_t one = 1, bytes;
    if (!p->has_images)
        FAIL(err, ALIGN_ERROR_NOT_FOUND, "%s: no image processor: " AL_IMAGE_CONFIG_FILE " is not there", p->folder);
    TRY(batch_shape(p, images, count, shape, err));
    bool fits = true;
    for (int axis = 1; axis < 4; axis++)
        fits = fits && al_mul(one, (size_t)shape[axis], &one);
    if (!fits || !al_mul(one, count, &bytes) || !al_mul(bytes, sizeof *pixels, &bytes)) {
        status = al_error_no_memory(err, SIZE_MAX);
        goto done;
    }
    pixels = al_alloc_aligned(bytes);
    if (!pixels) {
        status = al_error_no_memory(err, bytes);
        goto done;
    }
    for (size_t i = 0; i < count; i++)
        TRY(align_image_processor_run(&p->images, &images[i], pixels + i * one, err));
    const align_tensor values = align_tensor_view(ALIGN_F32, 4, shape, pixels);
    void *const owned = pixels;
    pixels = NULL; /* theirs now, even if they fail */
    TRY(al_tensors_put(tensors, "pixel_values", &values, owned, err));
done:
    al_free_aligned(pixels);
    return status;
}

align_status align_processor_call(const align_processor *p, const char *const *texts, const char *const *pairs,
                                  size_t n_texts, const align_image *images, size_t n_images,
                                  const align_encode_options *options, align_tensors **out, align_error *err)
{
    align_status status = ALIGN_OK;
    align_tensors *tensors = NULL;
    if (!p || !out)
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "no processor, or nowhere to put the tensors");
    *out = NULL;
    if (n_texts == 0 && n_images == 0)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "you have to specify either texts or pictures: both cannot be none");
    if ((n_texts && !texts) || (n_images && !images))
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "%zu texts and %zu pictures, but the arrays are not there", n_texts,
             n_images);
    TRY(align_tensors_new(&tensors, err));
    if (n_texts)
        TRY(add_texts(p, tensors, texts, pairs, n_texts, options, err));
    if (n_images)
        TRY(add_images(p, tensors, images, n_images, err));
    *out = tensors;
    tensors = NULL;
done:
    align_tensors_free(tensors);
    return status;
}
