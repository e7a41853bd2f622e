/*
 * align.c: AlignModel, where the towers meet.  B_t texts, B_i pictures, P projection_dim.
 *
 *     text_embeds  [B_t, P] = project(text tower's first token) / its length
 *     image_embeds [B_i, P] = vision tower's pooled features / their length
 *     logits_per_text [B_t, B_i] = text_embeds image_embeds^T / temperature         (and its transpose)
 *     loss = (cross_entropy(logits_per_text) + cross_entropy(logits_per_image)) / 2, targets on the diagonal,
 *            label smoothing 0.1
 *
 * What may surprise: the temperature divides (it is not an exponent), the paper sums the two losses where the reference
 * takes their mean, and pictures have no projection: projection_dim is the vision tower's width. A vector of length 0
 * gives NaN, as it does in the reference.
 *
 * Source: transformers 4.37.2, modeling_align.py: AlignModel, align_loss; the paper's section 3.2.
 */
#include "base/status.h"
#include "base/tensor.h"
#include "layers/profile.h"
#include "model/context.h"
#include "model/contrast.h"
#include "model/inputs.h"

#include <math.h>
#include <string.h>

/* ---- the maths ---- */

void align_normalize(float *x, size_t rows, size_t n)
{
    for (size_t r = 0; r < rows; r++, x += n) {
        double squares = 0.0;
        for (size_t i = 0; i < n; i++)
            squares += (double)x[i] * (double)x[i];
        const float length = sqrtf((float)squares); /* overflows where the reference's does */
        for (size_t i = 0; i < n; i++)
            x[i] /= length;
    }
}

void align_softmax(float *x, size_t rows, size_t n)
{
    for (size_t r = 0; r < rows; r++, x += n) {
        double max = -INFINITY, sum = 0.0;
        for (size_t i = 0; i < n; i++)
            max = (double)x[i] > max ? (double)x[i] : max;
        for (size_t i = 0; i < n; i++)
            sum += exp((double)x[i] - max);
        for (size_t i = 0; i < n; i++)
            x[i] = (float)(exp((double)x[i] - max) / sum);
    }
}

void al_similarity_forward(const al_run *run, float temperature, size_t texts, size_t images, size_t n,
                           const float *text_embeds, const float *image_embeds, float *per_text, float *per_image)
{
    if (run->dry)
        return;
    al_profile_count(run, texts * images * n, 0, ((texts + images) * n + 2 * texts * images) * sizeof *per_text);
    for (size_t t = 0; t < texts; t++)
        for (size_t i = 0; i < images; i++) {
            const float logit = run->kernels->dot(n, text_embeds + t * n, image_embeds + i * n) / temperature;
            per_text[t * images + i] = logit;
            per_image[i * texts + t] = logit;
        }
}

/* Mean over rows of -(0.9 log p[row] + 0.1 mean of log p), p the softmax of the row. */
static double cross_entropy(const float *logits, size_t n)
{
    double total = 0.0;
    for (size_t r = 0; r < n; r++) {
        const float *row = logits + r * n;
        double max = (double)row[0], sum = 0.0, mean = 0.0;
        for (size_t i = 1; i < n; i++)
            max = (double)row[i] > max ? (double)row[i] : max;
        for (size_t i = 0; i < n; i++) {
            sum += exp((double)row[i] - max);
            mean += (double)row[i] / (double)n;
        }
        const double log_sum = max + log(sum);
        total -= (1.0 - AL_LABEL_SMOOTHING) * ((double)row[r] - log_sum) + AL_LABEL_SMOOTHING * (mean - log_sum);
    }
    return total / (double)n;
}

/* ---- one pass, with the results a caller may see ---- */

/* What is asked for: read by the pass, which fills out. The tensors of out are taken from the context's results. */
typedef struct request {
    align_context *context;
    align_forward_options options;
    bool text, vision; /* which towers run */
    al_text_pass text_pass;
    al_vision_pass vision_pass;
    align_output out;
} request;

static align_tensor result(al_arena *results, int rank, const int64_t *shape)
{
    align_tensor t = align_tensor_view(ALIGN_F32, rank, shape, NULL);
    t.data = al_arena_floats(results, (size_t)align_tensor_elements(&t));
    return t;
}

static void run_text(const al_run *run, al_arena *results, request *q)
{
    align_context *c = q->context;
    const al_text_tower *tower = c->model->text;
    const int64_t b = (int64_t)q->text_pass.batch, s = (int64_t)q->text_pass.tokens;
    const int64_t h = c->model->config.text_config.hidden_size;
    const size_t layers = al_text_layers(tower);
    align_text_output *out = &q->out.text_model_output;
    *out = (align_text_output){.last_hidden_state = result(results, 3, (const int64_t[]){b, s, h})};
    q->text_pass.last_hidden_state = al_tensor_floats(&out->last_hidden_state);
    if (al_text_has_pooler(tower)) {
        out->pooler_output = result(results, 2, (const int64_t[]){b, h});
        q->text_pass.pooler_output = al_tensor_floats(&out->pooler_output);
    }
    if (q->options.output_hidden_states) {
        for (size_t i = 0; i < layers; i++)
            c->text_states[i] = result(results, 3, (const int64_t[]){b, s, h});
        c->text_states[layers] = out->last_hidden_state;
        q->text_pass.hidden_states = out->hidden_states = c->text_states;
        out->n_hidden_states = layers + 1;
    }
    if (q->options.output_attentions) {
        for (size_t i = 0; i < layers; i++)
            c->attentions[i] = result(results, 4, (const int64_t[]){b, (int64_t)al_text_heads(tower, i), s, s});
        q->text_pass.attentions = out->attentions = c->attentions;
        out->n_attentions = layers;
    }
    al_text_forward(run, tower, &q->text_pass);
}

static align_tensor vision_result(al_arena *results, const request *q, size_t i)
{
    const al_vision_pass *pass = &q->vision_pass;
    const al_vision_shape s = al_vision_shape_after(&q->context->model->params.vision, i, pass->height, pass->width);
    return result(results, 4,
                  (const int64_t[]){(int64_t)pass->batch, (int64_t)s.channels, (int64_t)s.rows, (int64_t)s.columns});
}

static void run_vision(const al_run *run, al_arena *results, request *q)
{
    align_context *c = q->context;
    const size_t blocks = al_vision_blocks(c->model->vision);
    align_vision_output *out = &q->out.vision_model_output;
    *out = (align_vision_output){.last_hidden_state = vision_result(results, q, blocks)};
    if (q->options.output_hidden_states) {
        for (size_t i = 0; i < blocks; i++)
            c->vision_states[i] = vision_result(results, q, i);
        c->vision_states[blocks] = out->last_hidden_state;
        q->vision_pass.hidden_states = out->hidden_states = c->vision_states;
        out->n_hidden_states = blocks + 1;
    } else
        q->vision_pass.last_hidden_state = al_tensor_floats(&out->last_hidden_state);
    out->pooler_output =
        result(results, 2, (const int64_t[]){(int64_t)q->vision_pass.batch, out->last_hidden_state.shape[1]});
    q->vision_pass.pooler_output = al_tensor_floats(&out->pooler_output);
    al_vision_forward(run, c->model->vision, &q->vision_pass);
}

/* The towers' embeddings, the logits and the loss. */
static void run_align(const al_run *run, al_arena *results, request *q)
{
    const align_model *model = q->context->model;
    const size_t texts = q->text_pass.batch, images = q->vision_pass.batch;
    const size_t width = (size_t)model->config.projection_dim;
    const int64_t t = (int64_t)texts, i = (int64_t)images, n = (int64_t)width;
    align_output *out = &q->out;
    out->text_embeds = result(results, 2, (const int64_t[]){t, n});
    out->image_embeds = result(results, 2, (const int64_t[]){i, n});
    out->logits_per_text = result(results, 2, (const int64_t[]){t, i});
    out->logits_per_image = result(results, 2, (const int64_t[]){i, t});
    float *text_embeds = al_tensor_floats(&out->text_embeds), *image_embeds = al_tensor_floats(&out->image_embeds);
    float *per_text = al_tensor_floats(&out->logits_per_text), *loss = NULL;
    if (q->options.return_loss) {
        out->loss = result(results, 0, NULL);
        loss = al_tensor_floats(&out->loss);
    }
    al_text_project(run, model->text, texts, q->text_pass.tokens * (size_t)model->config.text_config.hidden_size,
                    q->text_pass.last_hidden_state, text_embeds);
    al_profile_block(run, ALIGN_TOWER_BOTH, 0);
    al_profile_step(run, ALIGN_STEP_LOGITS);
    if (!run->dry) {
        memcpy(image_embeds, q->vision_pass.pooler_output, images * width * sizeof *image_embeds);
        align_normalize(text_embeds, texts, width);
        align_normalize(image_embeds, images, width);
    }
    al_similarity_forward(run, model->temperature, texts, images, width, text_embeds, image_embeds, per_text,
                          al_tensor_floats(&out->logits_per_image));
    if (loss && !run->dry)
        *loss =
            (float)((cross_entropy(per_text, texts) + cross_entropy(al_tensor_floats(&out->logits_per_image), images)) /
                    2.0);
}

static void forward_pass(const al_run *run, al_arena *results, void *user)
{
    request *q = user;
    if (q->vision)
        run_vision(run, results, q);
    if (q->text)
        run_text(run, results, q);
    if (q->vision && q->text)
        run_align(run, results, q);
}

/* Only what the features need: no pooler of the text tower, no state but the one that is projected or pooled. */
static void features_pass(const al_run *run, al_arena *results, void *user)
{
    request *q = user;
    const align_model *model = q->context->model;
    if (q->vision) {
        const al_vision_shape last = al_vision_shape_after(&model->params.vision, model->params.vision.n_blocks, 0, 0);
        q->out.image_embeds =
            result(results, 2, (const int64_t[]){(int64_t)q->vision_pass.batch, (int64_t)last.channels});
        q->vision_pass.pooler_output = al_tensor_floats(&q->out.image_embeds);
        al_vision_forward(run, model->vision, &q->vision_pass);
        return;
    }
    const size_t mark = al_arena_mark(run->arena), batch = q->text_pass.batch;
    const size_t hidden_size = (size_t)model->config.text_config.hidden_size;
    q->out.text_embeds = result(results, 2, (const int64_t[]){(int64_t)batch, model->config.projection_dim});
    q->text_pass.first_states = al_arena_floats(run->arena, batch * hidden_size);
    al_text_forward(run, model->text, &q->text_pass);
    al_text_project(run, model->text, batch, hidden_size, q->text_pass.first_states,
                    al_tensor_floats(&q->out.text_embeds));
    al_arena_release(run->arena, mark);
}

/* ---- the public calls ---- */

static align_status start(request *q, align_context *context, const align_inputs *inputs,
                          const align_forward_options *options, bool text, bool vision, const void *out,
                          align_error *err)
{
    align_status status = ALIGN_OK;
    const align_forward_options defaults = ALIGN_FORWARD_OPTIONS_INIT;
    *q = (request){.context = context, .options = options ? *options : defaults, .text = text, .vision = vision};
    if (!context || !inputs || !out)
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT, "NULL for the %s",
             !context  ? "context"
             : !inputs ? "inputs"
                       : "output");
    if ((text && !context->model->text) || (vision && !context->model->vision))
        FAIL(err, ALIGN_ERROR_UNSUPPORTED, "this model %s %s tower",
             context->model->text || context->model->vision ? "has no" : "was loaded for its state only, without a",
             vision && !context->model->vision ? "vision" : "text");
    if (vision) /* first, as in the reference: with nothing given it is pixel_values that is missed */
        TRY(al_check_vision_inputs(&context->model->config, &context->model->params, inputs, &q->vision_pass, err));
    if (text)
        TRY(al_check_text_inputs(&context->model->config, &context->model->params, inputs, &q->text_pass, err));
done:
    return status;
}

align_status align_model_forward(align_context *context, const align_inputs *inputs,
                                 const align_forward_options *options, align_output *out, align_error *err)
{
    align_status status = ALIGN_OK;
    request q;
    TRY(start(&q, context, inputs, options, true, true, out, err));
    if (q.options.return_loss && (q.text_pass.batch != q.vision_pass.batch || q.text_pass.batch == 0))
        FAIL(err, ALIGN_ERROR_INVALID_ARGUMENT,
             "return_loss: %zu texts and %zu pictures; every text needs its picture, and at least one pair",
             q.text_pass.batch, q.vision_pass.batch);
    TRY(al_context_run(context, forward_pass, &q, err));
    *out = q.out;
done:
    return status;
}

align_status align_text_model_forward(align_context *context, const align_inputs *inputs,
                                      const align_forward_options *options, align_text_output *out, align_error *err)
{
    align_status status = ALIGN_OK;
    request q;
    TRY(start(&q, context, inputs, options, true, false, out, err));
    TRY(al_context_run(context, forward_pass, &q, err));
    *out = q.out.text_model_output;
done:
    return status;
}

align_status align_vision_model_forward(align_context *context, const align_inputs *inputs,
                                        const align_forward_options *options, align_vision_output *out,
                                        align_error *err)
{
    align_status status = ALIGN_OK;
    request q;
    TRY(start(&q, context, inputs, options, false, true, out, err));
    TRY(al_context_run(context, forward_pass, &q, err));
    *out = q.out.vision_model_output;
done:
    return status;
}

align_status align_model_get_text_features(align_context *context, const align_inputs *inputs, align_tensor *out,
                                           align_error *err)
{
    align_status status = ALIGN_OK;
    request q;
    TRY(start(&q, context, inputs, NULL, true, false, out, err));
    if (context->model->tower != ALIGN_TOWER_BOTH)
        FAIL(err, ALIGN_ERROR_UNSUPPORTED, "a text tower alone has no text_projection, so no text features");
    TRY(al_context_run(context, features_pass, &q, err));
    *out = q.out.text_embeds;
done:
    return status;
}

align_status align_model_get_image_features(align_context *context, const align_inputs *inputs, align_tensor *out,
                                            align_error *err)
{
    align_status status = ALIGN_OK;
    request q;
    TRY(start(&q, context, inputs, NULL, false, true, out, err));
    TRY(al_context_run(context, features_pass, &q, err));
    *out = q.out.image_embeds;
done:
    return status;
}
