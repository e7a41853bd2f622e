/* gradients.c: align_model_gradients: one training step without an update, and all that came of it by name. */
#include "base/memory.h"
#include "base/status.h"
#include "base/tensor.h"
#include "checkpoint/tensors.h"
#include "model/align_train.h"
#include "model/argument.h"
#include "model/contrast.h"
#include "model/inputs.h"

#include <stdio.h>

typedef struct job {
    const align_model *model;
    const align_gradient_options *options;
    al_text_pass texts;
    al_vision_pass pictures;
    al_step_options step;
    float *loss, *per_image, *per_text;
    align_tensor *states; /* of the vision tower: blocks + 1 */
    align_tensors *out;
} job;

/* ---- outputs ---- */

/* A tensor of the collection's own, to be filled. */
static align_status add(job *j, const char *name, int rank, const int64_t *shape, float **data, align_error *err)
{
    size_t bytes = sizeof(float);
    bool fits = true;
    for (int i = 0; i < rank; i++)
        fits = fits && al_mul(bytes, (size_t)shape[i], &bytes);
    *data = fits ? al_alloc_aligned(bytes) : NULL;
    if (!*data)
        return al_error_no_memory(err, bytes);
    const align_tensor tensor = align_tensor_view(ALIGN_F32, rank, shape, *data);
    return al_tensors_put(j->out, name, &tensor, *data, err);
}

/* The vision tower's state after the stem (i = 0) or block i - 1. */
static align_status add_state(job *j, const char *name, size_t i, float **data, align_error *err)
{
    const al_vision_shape s = al_vision_shape_after(&j->model->params.vision, i, j->pictures.height, j->pictures.width);
    const int64_t shape[] = {(int64_t)j->pictures.batch, (int64_t)s.channels, (int64_t)s.rows, (int64_t)s.columns};
    return add(j, name, 4, shape, data, err);
}

static align_status add_states(job *j, align_error *err)
{
    align_status status = ALIGN_OK;
    const size_t blocks = j->model->params.vision.n_blocks;
    TRY(add_state(j, "vision_model_output.last_hidden_state", blocks, &j->step.outputs.last_hidden_state, err));
    if (!j->options->output_hidden_states)
        goto done;
    j->states = al_calloc(blocks + 1, sizeof *j->states);
    if (!j->states) {
        status = al_error_no_memory(err, (blocks + 1) * sizeof *j->states);
        goto done;
    }
    for (size_t i = 0; i <= blocks; i++) {
        char name[64];
        float *data;
        snprintf(name, sizeof name, "vision_model_output.hidden_states.%zu", i);
        TRY(add_state(j, name, i, &data, err));
        j->states[i] = *align_tensors_get(j->out, name);
    }
    j->step.outputs.hidden_states = j->states;
done:
    return status;
}

static align_status add_outputs(job *j, align_error *err)
{
    align_status status = ALIGN_OK;
    al_step_outputs *step = &j->step.outputs;
    const int64_t b = (int64_t)j->texts.batch, p = j->model->config.projection_dim;
    const int64_t logits[] = {b, b}, embeds[] = {b, p};
    TRY(add(j, "loss", 0, NULL, &j->loss, err));
    TRY(add(j, "logits_per_image", 2, logits, &j->per_image, err));
    TRY(add(j, "logits_per_text", 2, logits, &j->per_text, err));
    TRY(add(j, "text_embeds", 2, embeds, &step->text_embeds, err));
    TRY(add(j, "image_embeds", 2, embeds, &step->image_embeds, err));
    TRY(add(j, "vision_model_output.pooler_output", 2, embeds, &step->pooler_output, err));
    if (j->step.slice == 0)
        TRY(add_states(j, err));
done:
    return status;
}

/* ---- the pass ---- */

static align_status run_step(job *j, al_trainable *trainable, const align_inputs *inputs, align_error *err)
{
    align_status status = ALIGN_OK;
    al_threads *threads = NULL;
    al_trainer *trainer = NULL;
    double loss;
    TRY(al_threads_new(&threads, j->options->threads, err));
    TRY(al_trainer_new(&trainer, trainable, threads, err));
    TRY(al_trainer_step(trainer, inputs, &j->step, &loss, err));
    *j->loss = (float)loss;
    const al_run run = {.kernels = al_kernels_get()};
    al_similarity_forward(&run, j->model->temperature, j->texts.batch, j->pictures.batch,
                          (size_t)j->model->config.projection_dim, j->step.outputs.text_embeds,
                          j->step.outputs.image_embeds, j->per_text, j->per_image);
done:
    al_trainer_free(trainer);
    al_threads_free(threads);
    return status;
}

/* Gradients and buffers under their names, in memory of the collection's own. */
static align_status add_results(job *j, const al_trainable *trainable, align_error *err)
{
    align_status status = ALIGN_OK;
    align_tensors *views = NULL;
    TRY(align_tensors_new(&views, err));
    TRY(al_trainable_add_to(trainable, views, "grad.", trainable->gradient, false, err));
    if (j->options->batch_statistics)
        TRY(al_trainable_add_to(trainable, views, "buffer.", NULL, true, err));
    for (size_t i = 0; i < align_tensors_count(views); i++)
        TRY(align_tensors_add(j->out, align_tensors_name(views, i), align_tensors_at(views, i), err));
done:
    align_tensors_free(views);
    return status;
}

static align_status check(job *j, const align_inputs *inputs, align_error *err)
{
    align_status status = ALIGN_OK;
    const align_gradient_options *options = j->options;
    if (j->model->tower != ALIGN_TOWER_BOTH)
        FAIL(err, ALIGN_ERROR_UNSUPPORTED, "gradients are those of a loss, which needs both towers");
    TRY(al_need_state(j->model, "gradients", err));
    if (j->model->precision == ALIGN_PRECISION_INT8)
        FAIL(err, ALIGN_ERROR_UNSUPPORTED, "gradients are computed in f32 or bf16, not in int8");
    if (options->slice < 0 || options->max_bytes < 0)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "%s: %" PRId64 " is negative",
             options->slice < 0 ? "slice" : "max_bytes", options->slice < 0 ? options->slice : options->max_bytes);
    TRY(al_check_pairs(&j->model->config, &j->model->params, inputs, &j->texts, &j->pictures, err));
    j->step.slice = (size_t)options->slice < j->texts.batch ? (size_t)options->slice : 0;
    j->step.precision = j->model->precision;
    j->step.batch_statistics = options->batch_statistics;
    j->step.memory = (size_t)options->max_bytes;
done:
    return status;
}

align_status align_model_gradients(align_tensors **out, const align_model *model, const align_inputs *inputs,
                                   const align_gradient_options *options, align_error *err)
{
    static const align_gradient_options defaults = ALIGN_GRADIENT_OPTIONS_INIT;
    align_status status = ALIGN_OK;
    job j = {.model = model, .options = options ? options : &defaults, .step = AL_STEP_OPTIONS_INIT};
    al_trainable *trainable = NULL;
    TRY(al_need(out, "gradients", err));
    *out = NULL;
    TRY(al_need(model, "model", err));
    TRY(al_need(inputs, "inputs", err));
    TRY(check(&j, inputs, err));
    TRY(align_tensors_new(&j.out, err));
    TRY(add_outputs(&j, err));
    TRY(al_trainable_new(&trainable, model, err));
    al_trainable_clear_gradient(trainable);
    TRY(run_step(&j, trainable, inputs, err));
    TRY(add_results(&j, trainable, err));
    *out = j.out;
    j.out = NULL;
done:
    align_tensors_free(j.out);
    al_trainable_free(trainable);
    al_free(j.states);
    return status;
}
