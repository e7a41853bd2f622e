/*
 * text.c: AlignTextModel, which is BERT.  B texts, S tokens, H hidden size, A heads, d = H / A, I intermediate size.
 *
 *     tokens [B, S] -> word + token type + position -> layer norm                                          embed
 *     L times:  softmax(Q K^T / sqrt(d) + mask) V -> dense -> + x -> layer norm                            attend
 *               dense [I], gelu -> dense [H] -> + y -> layer norm                                          feed_forward
 *     pooler:   tanh(dense(first token))                                                                   pool
 *
 * What may surprise: the text embedding of ALIGN is not the pooler's output but the projection of the first token's
 * last state (al_text_project); the pooler is computed and handed out, and that is all. A mask is not -infinity but the
 * lowest float: a row that masks everything becomes uniform, not NaN. Reading order: the paper's section 3.2, then
 * vision.c, then align.c.
 *
 * Source: transformers 4.37.2, modeling_align.py: AlignTextEmbeddings, AlignTextLayer, AlignTextModel.
 */
#include "model/text.h"

#include "base/memory.h"
#include "base/status.h"
#include "base/tensor.h"
#include "layers/attention.h"
#include "layers/linear.h"
#include "layers/norm.h"
#include "layers/profile.h"
#include "model/text_rows.h"

typedef struct text_layer {
    al_linear query_key_value; /* [3*R, H]: the three matrices as one */
    al_attention attention;
    al_linear attention_output; /* [H, R] */
    al_layer_norm attention_norm;
    al_linear intermediate, output; /* [I, H], [H, I] */
    al_layer_norm output_norm;
} text_layer;

struct al_text_tower {
    al_arena weights;
    size_t hidden_size;
    align_activation act;
    bool is_decoder;
    bool relative_positions;
    al_text_tables tables; /* read where they are stored */
    al_layer_norm embeddings_norm;
    size_t n_layers;
    text_layer *layers;
    bool has_pooler;
    al_linear pooler;     /* [H, H] */
    al_linear projection; /* [P, H]; out 0 in a tower alone */
};

/* ---- forward ---- */

static void embed(const al_run *run, const al_text_tower *t, const al_text_pass *pass, const al_text_rows *rows,
                  float *y)
{
    al_profile_step(run, ALIGN_STEP_EMBEDDINGS);
    al_text_embed(run, &t->tables, pass, rows, y);
    al_profile_step(run, ALIGN_STEP_NORM);
    al_layer_norm_forward(run, &t->embeddings_norm, rows->n, y, y);
}

/* Rows that go through a layer at a time, if no text has more: what lies between its steps should stay in a cache, but
 * all weights are read again for each such block. */
#define BLOCK_ROWS ((size_t)256)

/* Some texts one after the other, and their rows of all. */
typedef struct text_block {
    size_t begin, end, row, rows;
} text_block;

/* The most that a block has, which is what a dry run goes through. */
static text_block largest_block(const al_attention_input *in, size_t n)
{
    const size_t wanted = in->tokens > BLOCK_ROWS ? in->tokens : BLOCK_ROWS, most = n < wanted ? n : wanted;
    return (text_block){.end = in->batch < most ? in->batch : most, .rows = most};
}

static text_block next_block(const al_attention_input *in, size_t begin, size_t most)
{
    text_block b = {.begin = begin, .end = begin + 1, .row = al_text_first_row(in, begin)};
    while (b.end < in->batch && al_text_first_row(in, b.end + 1) - b.row <= most)
        b.end++;
    b.rows = al_text_first_row(in, b.end) - b.row;
    return b;
}

/* What attention reads and writes, for the texts of a block alone; qkv is the block's own, and context where it
 * has a row for each token. */
static al_attention_input of_block(const al_attention_input *all, const al_attention *at, const text_block *b)
{
    al_attention_input some = *all;
    some.batch = b->end - b->begin;
    some.offsets = all->offsets ? all->offsets + b->begin : NULL;
    some.mask = all->mask ? all->mask + b->begin * all->mask_rows * all->tokens : NULL;
    some.probabilities =
        all->probabilities ? all->probabilities + b->begin * at->heads * all->tokens * all->tokens : NULL;
    if (all->first_only && all->context_bf16)
        some.context_bf16 += b->begin * all->context_stride;
    else if (all->first_only)
        some.context += b->begin * at->heads * at->head_size;
    return some;
}

/* Takes room for queries, keys and values [rows, 3*R], which the linear layer writes, and for the context of so many
 * rows, [context_rows, R]. */
static al_linear_output take_attention(const al_run *run, const text_layer *layer, size_t rows, size_t context_rows,
                                       al_attention_input *in)
{
    const al_linear *qkv = &layer->query_key_value, *next = &layer->attention_output;
    if (al_linear_takes_bf16(qkv) && al_linear_takes_bf16(next) &&
        al_attention_reads_bf16(run->kernels, &layer->attention)) {
        uint16_t *rounded = al_arena_take(run->arena, rows, qkv->out * sizeof *rounded);
        in->qkv_bf16 = rounded;
        in->context_stride = al_bf16_stride(next);
        in->context_bf16 = al_arena_take(run->arena, context_rows, in->context_stride * sizeof *rounded);
        return al_bf16_out(rounded, qkv->out);
    }
    float *plain = al_arena_floats(run->arena, rows * qkv->out);
    in->qkv = plain;
    in->context = al_arena_floats(run->arena, context_rows * next->in);
    return al_rows_out(run, plain, qkv->out, NULL);
}

/* x [rows, H] -> queries, keys and values -> in->context */
static void attend(const al_run *run, const text_layer *layer, const al_attention_input *in, size_t rows, al_matrix x,
                   al_linear_output qkv)
{
    al_profile_step(run, ALIGN_STEP_QUERY_KEY_VALUE);
    al_linear_forward(run, &layer->query_key_value, rows, x, ALIGN_ACT_LINEAR, qkv);
    al_profile_step(run, ALIGN_STEP_ATTENTION);
    al_attention_forward(run, &layer->attention, in);
}

/* in->context [n, R] -> attended [n, H] -> y [n, H], of the rows x [n, H] */
static void feed_forward(const al_run *run, const al_text_tower *t, const text_layer *layer,
                         const al_attention_input *in, size_t n, const float *x, float *y)
{
    const size_t h = t->hidden_size, mark = al_arena_mark(run->arena);
    float *attended = al_arena_floats(run->arena, n * h);
    const al_linear *output = &layer->attention_output;
    const al_linear_output y_of_attention = al_rows_out(run, attended, h, x);
    al_profile_step(run, ALIGN_STEP_ATTENTION_OUTPUT);
    if (in->context_bf16)
        al_linear_forward_bf16(run, output, n, in->context_bf16, ALIGN_ACT_LINEAR, y_of_attention);
    else
        al_linear_forward(run, output, n, al_rows(run, in->context, output->in), ALIGN_ACT_LINEAR, y_of_attention);
    al_profile_step(run, ALIGN_STEP_NORM);
    al_layer_norm_forward(run, &layer->attention_norm, n, attended, attended);

    const al_linear_pair dense = {&layer->intermediate, &layer->output, t->act, ALIGN_STEP_INTERMEDIATE,
                                  ALIGN_STEP_OUTPUT};
    al_linear_forward_pair(run, &dense, n, al_rows(run, attended, h), al_rows_out(run, y, h, attended));
    al_profile_step(run, ALIGN_STEP_NORM);
    al_layer_norm_forward(run, &layer->output_norm, n, y, y);
    al_arena_release(run->arena, mark);
}

/* x [n, H] -> y [n, H], or [B, H] where only the first tokens ask. */
static void layer_forward(const al_run *run, const al_text_tower *t, const text_layer *layer,
                          const al_attention_input *in, size_t n, const float *x, float *y)
{
    const size_t h = t->hidden_size, mark = al_arena_mark(run->arena);
    const text_block largest = largest_block(in, n);
    al_attention_input all = *in;
    const al_linear_output qkv =
        take_attention(run, layer, largest.rows, in->first_only ? in->batch : largest.rows, &all);
    for (size_t begin = 0; begin < in->batch;) {
        const text_block b = run->dry ? largest : next_block(in, begin, largest.rows);
        const al_attention_input some = of_block(&all, &layer->attention, &b);
        attend(run, layer, &some, b.rows, al_rows(run, x + b.row * h, h), qkv);
        if (!in->first_only)
            feed_forward(run, t, layer, &some, b.rows, x + b.row * h, y + b.row * h);
        begin = run->dry ? in->batch : b.end;
    }
    if (in->first_only) {
        float *first = al_arena_floats(run->arena, in->batch * h);
        al_text_first_rows(run, in, h, x, first);
        feed_forward(run, t, layer, &all, in->batch, first, y);
    }
    al_arena_release(run->arena, mark);
}

/* [B, H] = tanh(dense(x[:, 0])); the first token of each text stands S rows after the one before. */
static void pool(const al_run *run, const al_text_tower *t, const al_text_pass *pass)
{
    al_profile_step(run, ALIGN_STEP_POOLER);
    al_linear_forward(run, &t->pooler, pass->batch,
                      al_rows(run, pass->last_hidden_state, pass->tokens * t->hidden_size), ALIGN_ACT_TANH,
                      al_rows_out(run, pass->pooler_output, t->hidden_size, NULL));
}

/* Where the embeddings go (i = 0) and the output of layer i - 1: the stream stays in one place, unless every state is
 * asked for; then each stays where it is written. */
static float *state_after(const al_text_tower *t, const al_text_pass *pass, size_t i, float *stream)
{
    if (pass->hidden_states)
        return al_tensor_floats(&pass->hidden_states[i]);
    return i == t->n_layers && pass->first_states ? pass->first_states : stream;
}

void al_text_forward(const al_run *run, const al_text_tower *t, const al_text_pass *pass)
{
    const size_t mark = al_arena_mark(run->arena);
    al_profile_block(run, ALIGN_TOWER_TEXT, 0);
    al_profile_step(run, ALIGN_STEP_INPUT);
    const bool may_leave_out = pass->first_states && !t->is_decoder && !t->relative_positions;
    const al_text_rows rows = al_text_rows_to_compute(run, pass, may_leave_out);
    float *stream = pass->first_states ? al_arena_floats(run->arena, rows.n * t->hidden_size) : pass->last_hidden_state;
    const float *factors = al_text_head_factors(run, pass);
    al_attention_input in = {.batch = pass->batch, .tokens = pass->tokens, .offsets = rows.offsets};
    in.mask = rows.offsets ? NULL : al_text_mask_scores(run, pass, t->is_decoder, &in.mask_rows);

    float *x = t->n_layers ? state_after(t, pass, 0, stream) : stream;
    embed(run, t, pass, &rows, x);
    for (size_t i = 0; i < t->n_layers; i++) {
        const text_layer *layer = &t->layers[i];
        al_profile_block(run, ALIGN_TOWER_TEXT, i + 1);
        float *y = state_after(t, pass, i + 1, stream);
        in.first_only = pass->first_states && i + 1 == t->n_layers;
        in.head_mask = al_text_layer_factors(pass, factors, i, layer->attention.heads);
        in.probabilities = pass->attentions ? al_tensor_floats(&pass->attentions[i]) : NULL;
        layer_forward(run, t, layer, &in, rows.n, x, y);
        x = y;
    }
    al_profile_block(run, ALIGN_TOWER_TEXT, 0);
    if (pass->first_states && t->n_layers == 0)
        al_text_first_rows(run, &in, t->hidden_size, x, pass->first_states);
    if (pass->pooler_output)
        pool(run, t, pass);
    al_arena_release(run->arena, mark);
}

void al_text_project(const al_run *run, const al_text_tower *t, size_t batch, size_t row_stride, const float *states,
                     float *features)
{
    al_profile_step(run, ALIGN_STEP_PROJECTION);
    al_linear_forward(run, &t->projection, batch, al_rows(run, states, row_stride), ALIGN_ACT_LINEAR,
                      al_rows_out(run, features, t->projection.out, NULL));
}

bool al_text_has_pooler(const al_text_tower *t)
{
    return t->has_pooler;
}

size_t al_text_layers(const al_text_tower *t)
{
    return t->n_layers;
}

size_t al_text_heads(const al_text_tower *t, size_t layer)
{
    return t->layers[layer].attention.heads;
}

/* ---- preparing ---- */

static void pack_layer(const al_packing *packing, text_layer *layer, const al_text_layer_params *p, float eps,
                       size_t head_size, al_positions positions)
{
    const al_attention_params *at = &p->attention;
    const al_linear_params *const parts[] = {&at->query, &at->key, &at->value};
    const size_t rows = (size_t)at->query.weight.shape[0], hidden_size = (size_t)at->query.weight.shape[1];
    al_linear_init(&layer->query_key_value, packing, hidden_size, 3 * rows);
    for (size_t i = 0; i < 3; i++)
        al_linear_pack(&layer->query_key_value, packing, i * rows, rows, &parts[i]->weight, &parts[i]->bias, NULL);
    layer->attention = (al_attention){(size_t)p->heads, head_size, positions, NULL, 0};
    if (positions != AL_POSITIONS_NONE) {
        const size_t n = (size_t)at->distance_embedding.shape[0];
        float *distance = al_arena_floats(packing->arena, n * head_size);
        if (al_packing_writes(packing))
            align_tensor_to_f32(&at->distance_embedding, distance);
        layer->attention.distance = distance;
        layer->attention.max_positions = (n + 1) / 2;
    }
    al_linear_init_packed(&layer->attention_output, packing, &at->output.weight, &at->output.bias);
    al_layer_norm_init(&layer->attention_norm, packing, eps, &at->output_norm.weight, &at->output_norm.bias);
    al_linear_init_packed(&layer->intermediate, packing, &p->intermediate.weight, &p->intermediate.bias);
    al_linear_init_packed(&layer->output, packing, &p->output.weight, &p->output.bias);
    al_layer_norm_init(&layer->output_norm, packing, eps, &p->output_norm.weight, &p->output_norm.bias);
}

typedef struct text_source {
    al_text_tower *tower;
    const align_text_config *config;
    const al_model_params *params;
} text_source;

/* Everything that is packed, in the order in which a forward pass reads it. The last matrices, whose errors nothing
 * evens out any more, are f32 in every precision. */
static void pack_tower(void *user, const al_packing *packing)
{
    const text_source *source = user;
    const align_text_config *config = source->config;
    const al_text_params *p = &source->params->text;
    al_text_tower *t = source->tower;
    const float eps = (float)config->layer_norm_eps;
    const size_t head_size = (size_t)(config->hidden_size / config->num_attention_heads);
    al_packing last = *packing;
    last.precision = ALIGN_PRECISION_F32;
    al_layer_norm_init(&t->embeddings_norm, packing, eps, &p->embeddings_norm.weight, &p->embeddings_norm.bias);
    for (size_t i = 0; i < t->n_layers; i++)
        pack_layer(packing, &t->layers[i], &p->layers[i], eps, head_size, al_text_positions(config));
    if (t->has_pooler)
        al_linear_init_packed(&t->pooler, &last, &p->pooler.weight, &p->pooler.bias);
    if (source->params->tower == ALIGN_TOWER_BOTH)
        al_linear_init_packed(&t->projection, &last, &source->params->text_projection.weight,
                              &source->params->text_projection.bias);
}

align_status al_text_tower_new(al_text_tower **out, const align_text_config *config, const al_model_params *params,
                               const al_packing *packing, align_error *err)
{
    align_status status = ALIGN_OK;
    *out = NULL;
    al_text_tower *t = al_calloc(1, sizeof *t);
    if (!t)
        return al_error_no_memory(err, sizeof *t);
    TRY(align_activation_from_name(&t->act, config->hidden_act, err));
    t->hidden_size = (size_t)config->hidden_size;
    t->is_decoder = config->is_decoder;
    t->relative_positions = al_text_positions(config) != AL_POSITIONS_NONE;
    t->tables = (al_text_tables){&params->text.word_embeddings, &params->text.token_type_embeddings,
                                 al_text_has_absolute_positions(config) ? &params->text.position_embeddings : NULL};
    t->has_pooler = params->text.has_pooler;
    t->n_layers = params->text.n_layers;
    t->layers = al_calloc(t->n_layers, sizeof *t->layers);
    if (!t->layers) {
        status = al_error_no_memory(err, t->n_layers * sizeof *t->layers);
        goto done;
    }
    text_source source = {t, config, params};
    TRY(al_packing_run(packing, &t->weights, pack_tower, &source, err));
    *out = t;
    t = NULL;
done:
    al_text_tower_free(t);
    return status;
}

const al_arena *al_text_tower_weights(const al_text_tower *t)
{
    return &t->weights;
}

void al_text_tower_free(al_text_tower *t)
{
    if (!t)
        return;
    al_arena_done(&t->weights);
    al_free(t->layers);
    al_free(t);
}
