/*
 * text_train.c: the text tower of text.c while it is trained: each step forward, and below it the same step backward.
 * B texts, S tokens, n of all their tokens computed, H hidden size, R rows of query, key and value, I intermediate
 * size.
 *
 *     s = word + token type + position,  x = dropout(norm(s))                                      embed
 *     L times:  c = attention(x Wq, x Wk, x Wv),  s = dropout(c Wo) + x,  y = norm(s)              attend
 *               u = y W1,  s = dropout(act(u) W2) + y,  x = norm(s)                                feed_forward
 *
 * dx is the gradient of the loss by x. Gradients of what flows are written, those of parameters are added to. A layer
 * leaves c, u and both s, from which its gradients follow without another product, in its tape; where memory is short
 * it leaves x alone, and is computed once more on the way back, with the same numbers dropped.
 *
 * The last layer is computed for the first token of each text only, B rows from the attention on. The pooler and
 * crossattention take no part in the loss: their gradients stay what they are.
 */
#include "model/text_train.h"

#include "base/memory.h"
#include "base/random.h"
#include "base/status.h"
#include "base/tensor.h"
#include "layers/dense.h"
#include "layers/dropout.h"
#include "layers/embedding.h"
#include "layers/norm.h"
#include "layers/pointwise.h"
#include "model/text_rows.h"

#include <string.h>

/* What a layer leaves: x [n, H] of all rows, and, rows being n or B, what follows. */
typedef struct layer_tape {
    float *x;
    float *qkv;           /* [n, 3 R] */
    float *context;       /* [rows, R] */
    float *attention_sum; /* [rows, H] */
    float *attended;      /* [rows, H] */
    float *intermediate;  /* [rows, I] */
    float *output_sum;    /* [rows, H] */
} layer_tape;

struct al_text_trainer {
    size_t hidden_size, head_size;
    align_activation act;
    bool is_decoder, absolute_positions;
    al_positions positions;
    float eps, dropout, attention_dropout;
    int64_t padding; /* the word that does not learn; -1: none */
    size_t n_layers;

    /* what the last forward pass has left */
    layer_tape *tapes; /* [n_layers] */
    size_t kept;       /* the first layer whose tape is whole */
    float *embedding_sum;
    al_text_rows rows;
    al_attention_input input; /* what all layers have in common */
    const float *head_factors;
};

/* One layer in one pass. */
typedef struct text_layer {
    const al_run *run;
    const al_text_trainer *t;
    const al_training *how;
    size_t number, n, rows; /* rows: those that ask */
    al_attention_input input;
    al_attention attention;
    al_layer_norm attention_norm, output_norm;
    al_dense query_key_value[3], attention_output, intermediate, output;
    const al_text_layer_params *gradients;
} text_layer;

/* ---- parameters ---- */

static const float *numbers(const align_tensor *t)
{
    return t->data;
}

static al_dense dense_of(const al_training *how, const al_linear_params *p, const al_linear_params *gradient)
{
    return al_training_dense(&p->weight, &p->bias, &gradient->weight, &gradient->bias, how->precision);
}

static al_layer_norm norm_of(const al_text_trainer *t, const al_layer_norm_params *p)
{
    return (al_layer_norm){t->hidden_size, t->eps, numbers(&p->weight), numbers(&p->bias)};
}

static void norm_backward(const al_run *run, const al_layer_norm *norm, const al_layer_norm_params *gradient,
                          size_t rows, const float *x, const float *dy, float *dx)
{
    al_layer_norm_backward(run, norm, rows, x, dy, dx, al_tensor_floats(&gradient->weight),
                           al_tensor_floats(&gradient->bias));
}

/* Where numbers are dropped: each place of each layer has a stream of its own, under one of this tower's. The output of
 * the layer before the first is that of the embeddings. */
#define TEXT_STREAM 0x74657874
typedef enum site { SITE_ATTENTION, SITE_ATTENTION_OUTPUT, SITE_OUTPUT, SITES } site;

static uint64_t key_of(const al_training *how, size_t layer, site where)
{
    return al_random_key(al_random_key(how->key, TEXT_STREAM), layer * SITES + where);
}

static text_layer layer_of(const al_run *run, const al_text_trainer *t, const al_training *how,
                           const al_text_pass *pass, size_t number)
{
    const al_text_layer_params *p = &how->weights->text.layers[number], *g = &how->gradients->text.layers[number];
    const al_attention_params *at = &p->attention;
    text_layer l = {.run = run, .t = t, .how = how, .number = number, .n = t->rows.n, .input = t->input};
    l.input.first_only = number + 1 == t->n_layers;
    l.input.head_mask = al_text_layer_factors(pass, t->head_factors, number, (size_t)p->heads);
    l.input.dropout = how->dropout ? t->attention_dropout : 0.0f;
    l.input.key = key_of(how, number + 1, SITE_ATTENTION);
    l.rows = l.input.first_only ? pass->batch : l.n;
    l.attention = (al_attention){(size_t)p->heads, t->head_size, t->positions, NULL, 0};
    if (t->positions != AL_POSITIONS_NONE) {
        l.attention.distance = numbers(&at->distance_embedding);
        l.attention.max_positions = ((size_t)at->distance_embedding.shape[0] + 1) / 2;
    }
    l.query_key_value[0] = dense_of(how, &at->query, &g->attention.query);
    l.query_key_value[1] = dense_of(how, &at->key, &g->attention.key);
    l.query_key_value[2] = dense_of(how, &at->value, &g->attention.value);
    l.attention_output = dense_of(how, &at->output, &g->attention.output);
    l.attention_norm = norm_of(t, &at->output_norm);
    l.intermediate = dense_of(how, &p->intermediate, &g->intermediate);
    l.output = dense_of(how, &p->output, &g->output);
    l.output_norm = norm_of(t, &p->output_norm);
    l.gradients = g;
    return l;
}

/* Whether any parameter of the layer learns. */
static bool layer_learns(const al_text_layer_params *g)
{
    bool learns = false;
#define LEARNS(field, key, kind, rank, d0, d1, d2, d3) learns |= g->field.data != NULL;
    AL_TEXT_ATTENTION_INPUT(LEARNS, attention, "")
    AL_TEXT_DISTANCE(LEARNS, attention, "")
    AL_TEXT_ATTENTION_OUTPUT(LEARNS, attention, "")
    AL_TEXT_FEED_FORWARD(LEARNS)
#undef LEARNS
    return learns;
}

static bool embeddings_learn(const al_text_params *g)
{
    bool learns = false;
#define LEARNS(field, key, kind, rank, d0, d1, d2, d3) learns |= g->field.data != NULL;
    AL_TEXT_EMBEDDINGS(LEARNS)
#undef LEARNS
    return learns;
}

/* The lowest layer through which gradients go; 0 where the embeddings want them. */
static size_t lowest_layer(const al_text_params *g)
{
    size_t i = 0;
    if (!embeddings_learn(g))
        while (i < g->n_layers && !layer_learns(&g->layers[i]))
            i++;
    return i;
}

/* ---- embeddings ---- */

static al_text_tables tables_of(const al_text_trainer *t, const al_text_params *p)
{
    return (al_text_tables){&p->word_embeddings, &p->token_type_embeddings,
                            t->absolute_positions ? &p->position_embeddings : NULL};
}

static void dropout(const al_run *run, const al_text_trainer *t, const al_training *how, uint64_t key, size_t rows,
                    const float *x, float *y)
{
    al_dropout(run, how->dropout ? t->dropout : 0.0f, key, rows * t->hidden_size, x, y);
}

static void embed(const al_run *run, const al_text_trainer *t, const al_training *how, const al_text_pass *pass,
                  float *x)
{
    const al_text_params *p = &how->weights->text;
    const al_text_tables tables = tables_of(t, p);
    const al_layer_norm norm = norm_of(t, &p->embeddings_norm);
    al_text_embed(run, &tables, pass, &t->rows, t->embedding_sum);
    al_layer_norm_forward(run, &norm, t->rows.n, t->embedding_sum, x);
    dropout(run, t, how, key_of(how, 0, SITE_OUTPUT), t->rows.n, x, x);
}

/* dx becomes the gradient of the sum. */
static void embed_backward(const al_run *run, const al_text_trainer *t, const al_training *how,
                           const al_text_pass *pass, float *dx)
{
    const al_text_params *p = &how->weights->text, *g = &how->gradients->text;
    const al_layer_norm norm = norm_of(t, &p->embeddings_norm);
    const size_t n = t->rows.n, h = t->hidden_size, mark = al_arena_mark(run->arena);
    dropout(run, t, how, key_of(how, 0, SITE_OUTPUT), n, dx, dx);
    norm_backward(run, &norm, &g->embeddings_norm, n, t->embedding_sum, dx, dx);

    const struct {
        const align_tensor *gradient, *ids;
        int64_t step, padding;
        bool used;
    } tables[] = {
        {&g->word_embeddings, pass->input_ids, 0, t->padding, pass->input_ids->data != NULL},
        {&g->token_type_embeddings, pass->token_type_ids, 0, -1, true},
        {&g->position_embeddings, pass->position_ids, 1, -1, t->absolute_positions},
    };
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        if (tables[i].used && tables[i].gradient->data)
            al_embedding_backward(run, h, n, al_text_integers(run, pass, &t->rows, tables[i].ids, tables[i].step),
                                  tables[i].padding, dx, al_tensor_floats(tables[i].gradient));
    al_arena_release(run->arena, mark);
}

/* ---- a layer ---- */

/* Where row i of the rows that ask stands among all. */
static size_t asking_row(const text_layer *l, size_t i)
{
    return l->input.first_only ? al_text_first_row(&l->input, i) : i;
}

/* y [rows, H] += x [n, H], where rows ask */
static void add_residual(const text_layer *l, const float *x, float *y)
{
    const size_t h = l->t->hidden_size;
    if (!l->input.first_only)
        al_add_to(l->run, l->rows * h, x, y);
    for (size_t i = 0; l->input.first_only && i < l->rows && !l->run->dry; i++)
        l->run->kernels->add(h, x + asking_row(l, i) * h, y + i * h);
}

/* dx [n, H] = dy [rows, H] in rows that ask, 0 in the others */
static void residual_backward(const text_layer *l, const float *dy, float *dx)
{
    const size_t h = l->t->hidden_size;
    if (l->run->dry)
        return;
    if (l->input.first_only)
        memset(dx, 0, l->n * h * sizeof *dx);
    for (size_t i = 0; i < l->rows; i++)
        memcpy(dx + asking_row(l, i) * h, dy + i * h, h * sizeof *dx);
}

static void attend(const text_layer *l, layer_tape *tape)
{
    const al_run *run = l->run;
    const size_t width = l->attention_output.in;
    al_attention_input in = l->input;
    for (size_t i = 0; i < 3; i++)
        al_dense_forward(run, &l->query_key_value[i], l->n, tape->x, tape->qkv + i * width, 3 * width);
    in.qkv = tape->qkv;
    in.context = tape->context;
    al_attention_forward(run, &l->attention, &in);
    al_dense_forward(run, &l->attention_output, l->rows, tape->context, tape->attention_sum, l->t->hidden_size);
    dropout(run, l->t, l->how, key_of(l->how, l->number + 1, SITE_ATTENTION_OUTPUT), l->rows, tape->attention_sum,
            tape->attention_sum);
    add_residual(l, tape->x, tape->attention_sum);
    al_layer_norm_forward(run, &l->attention_norm, l->rows, tape->attention_sum, tape->attended);
}

/* dy [rows, H], which is used up, to dx [n, H]; NULL: not wanted */
static void attend_backward(const text_layer *l, const layer_tape *tape, float *dy, float *dx)
{
    const al_run *run = l->run;
    const size_t h = l->t->hidden_size, width = l->attention_output.in, mark = al_arena_mark(run->arena);
    float *dcontext = al_arena_floats(run->arena, l->rows * width);
    float *dqkv = al_arena_floats(run->arena, l->n * 3 * width);
    al_attention_input in = l->input;
    norm_backward(run, &l->attention_norm, &l->gradients->attention.output_norm, l->rows, tape->attention_sum, dy, dy);
    if (dx)
        residual_backward(l, dy, dx);
    dropout(run, l->t, l->how, key_of(l->how, l->number + 1, SITE_ATTENTION_OUTPUT), l->rows, dy, dy);
    al_dense_backward(run, &l->attention_output, l->rows, tape->context, dy, h, false, dcontext);
    in.qkv = tape->qkv;
    al_attention_backward(
        run, &l->attention, &in,
        &(al_attention_gradients){dcontext, dqkv, al_tensor_floats(&l->gradients->attention.distance_embedding)});
    for (size_t i = 0; i < 3; i++)
        al_dense_backward(run, &l->query_key_value[i], l->n, tape->x, dqkv + i * width, 3 * width, true, dx);
    al_arena_release(run->arena, mark);
}

/* y NULL: not wanted, only the tape. */
static void feed_forward(const text_layer *l, layer_tape *tape, float *y)
{
    const al_run *run = l->run;
    const size_t h = l->t->hidden_size, wide = l->intermediate.out, mark = al_arena_mark(run->arena);
    float *activated = al_arena_floats(run->arena, l->rows * wide);
    al_dense_forward(run, &l->intermediate, l->rows, tape->attended, tape->intermediate, wide);
    al_activation_forward(run, l->t->act, l->rows * wide, tape->intermediate, activated);
    al_dense_forward(run, &l->output, l->rows, activated, tape->output_sum, h);
    dropout(run, l->t, l->how, key_of(l->how, l->number + 1, SITE_OUTPUT), l->rows, tape->output_sum, tape->output_sum);
    al_add_to(run, l->rows * h, tape->attended, tape->output_sum);
    if (y)
        al_layer_norm_forward(run, &l->output_norm, l->rows, tape->output_sum, y);
    al_arena_release(run->arena, mark);
}

/* dy [rows, H] to dx [rows, H] */
static void feed_forward_backward(const text_layer *l, const layer_tape *tape, const float *dy, float *dx)
{
    const al_run *run = l->run;
    const size_t h = l->t->hidden_size, wide = l->intermediate.out, mark = al_arena_mark(run->arena);
    float *dropped = al_arena_floats(run->arena, l->rows * h);
    float *activated = al_arena_floats(run->arena, l->rows * wide);
    float *dwide = al_arena_floats(run->arena, l->rows * wide);
    norm_backward(run, &l->output_norm, &l->gradients->output_norm, l->rows, tape->output_sum, dy, dx);
    dropout(run, l->t, l->how, key_of(l->how, l->number + 1, SITE_OUTPUT), l->rows, dx, dropped);
    al_activation_forward(run, l->t->act, l->rows * wide, tape->intermediate, activated);
    al_dense_backward(run, &l->output, l->rows, activated, dropped, h, false, dwide);
    al_activation_backward(run, l->t->act, l->rows * wide, tape->intermediate, dwide, dwide);
    al_dense_backward(run, &l->intermediate, l->rows, tape->attended, dwide, wide, true, dx);
    al_arena_release(run->arena, mark);
}

/* ---- tapes ---- */

/* Takes a tape but for x, which is there; the floats that it takes. */
static size_t take_tape(const text_layer *l, al_arena *arena, layer_tape *tape)
{
    const size_t h = l->t->hidden_size, width = l->attention_output.in;
    const struct {
        float **field;
        size_t floats;
    } parts[] = {
        {&tape->qkv, l->n * 3 * width},      {&tape->context, l->rows * width},
        {&tape->attention_sum, l->rows * h}, {&tape->attended, l->rows * h},
        {&tape->output_sum, l->rows * h},    {&tape->intermediate, l->rows * l->intermediate.out},
    };
    size_t sum = 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        *parts[i].field = al_arena_floats(arena, parts[i].floats);
        sum += parts[i].floats;
    }
    return sum;
}

/* The first layer from which on all tapes together take no more than may be kept. */
static size_t first_kept(const al_run *run, const al_text_trainer *t, const al_training *how, const al_text_pass *pass,
                         size_t lowest)
{
    size_t i = t->n_layers, left = how->keep;
    for (; i > lowest; i--) {
        const text_layer l = layer_of(run, t, how, pass, i - 1);
        al_arena nowhere = {0};
        layer_tape tape;
        const size_t bytes = take_tape(&l, &nowhere, &tape) * sizeof(float);
        if (bytes > left)
            break;
        left -= bytes;
    }
    return i;
}

/* ---- the tower ---- */

void al_text_train_forward(const al_run *run, al_text_trainer *t, const al_training *how, const al_text_pass *pass,
                           float *first_states)
{
    const size_t lowest = lowest_layer(&how->gradients->text), h = t->hidden_size;
    t->rows = al_text_rows_to_compute(run, pass, !t->is_decoder && t->positions == AL_POSITIONS_NONE);
    t->head_factors = al_text_head_factors(run, pass);
    t->input = (al_attention_input){.batch = pass->batch, .tokens = pass->tokens, .offsets = t->rows.offsets};
    if (!t->rows.offsets)
        t->input.mask = al_text_mask_scores(run, pass, t->is_decoder, &t->input.mask_rows);
    t->embedding_sum = al_arena_floats(run->arena, t->rows.n * h);
    t->kept = first_kept(run, t, how, pass, lowest);

    float *x = al_arena_floats(run->arena, t->rows.n * h);
    embed(run, t, how, pass, x);
    for (size_t i = 0; i < t->n_layers; i++) {
        const text_layer l = layer_of(run, t, how, pass, i);
        layer_tape *tape = &t->tapes[i];
        float *y = i + 1 == t->n_layers ? first_states : i < lowest ? x : al_arena_floats(run->arena, t->rows.n * h);
        const size_t mark = al_arena_mark(run->arena);
        tape->x = x;
        take_tape(&l, run->arena, tape);
        attend(&l, tape);
        feed_forward(&l, tape, y);
        if (i < t->kept)
            al_arena_release(run->arena, mark);
        x = y;
    }
    if (t->n_layers == 0)
        al_text_first_rows(run, &t->input, h, x, first_states);
}

/* dy to dx, which may be NULL: not wanted. */
static void layer_backward(const text_layer *l, const float *dy, float *dx)
{
    const al_run *run = l->run;
    const size_t mark = al_arena_mark(run->arena);
    layer_tape tape = l->t->tapes[l->number];
    if (l->number < l->t->kept) {
        take_tape(l, run->arena, &tape);
        attend(l, &tape);
        feed_forward(l, &tape, NULL);
    }
    float *dattended = al_arena_floats(run->arena, l->rows * l->t->hidden_size);
    feed_forward_backward(l, &tape, dy, dattended);
    attend_backward(l, &tape, dattended, dx);
    al_arena_release(run->arena, mark);
}

void al_text_train_backward(const al_run *run, al_text_trainer *t, const al_training *how, const al_text_pass *pass,
                            const float *gradient)
{
    const al_text_params *g = &how->gradients->text;
    const size_t lowest = lowest_layer(g), mark = al_arena_mark(run->arena);
    const bool embeddings = embeddings_learn(g);
    float *dx = al_arena_floats(run->arena, t->rows.n * t->hidden_size);
    if (t->n_layers == 0) {
        text_layer first = {.run = run, .t = t, .n = t->rows.n, .rows = pass->batch, .input = t->input};
        first.input.first_only = true;
        residual_backward(&first, gradient, dx);
    }
    for (size_t i = t->n_layers; i > lowest; i--) {
        const text_layer l = layer_of(run, t, how, pass, i - 1);
        layer_backward(&l, i == t->n_layers ? gradient : dx, i - 1 > lowest || embeddings ? dx : NULL);
        al_training_tell(run, how, &g->layers[i - 1].attention.query.weight);
    }
    if (embeddings)
        embed_backward(run, t, how, pass, dx);
    al_training_tell(run, how, &g->word_embeddings);
    al_arena_release(run->arena, mark);
}

/* ---- life ---- */

/* The word that is padding, counted from the front; a model without one has none. */
static int64_t padding_of(const align_text_config *config)
{
    if (!config->has_pad_token_id)
        return -1;
    return config->pad_token_id < 0 ? config->pad_token_id + config->vocab_size : config->pad_token_id;
}

align_status al_text_trainer_new(al_text_trainer **out, const align_text_config *config, const al_model_params *params,
                                 align_error *err)
{
    align_status status = ALIGN_OK;
    *out = NULL;
    al_text_trainer *t = al_calloc(1, sizeof *t);
    if (!t)
        return al_error_no_memory(err, sizeof *t);
    TRY(align_activation_from_name(&t->act, config->hidden_act, err));
    t->hidden_size = (size_t)config->hidden_size;
    t->head_size = (size_t)(config->hidden_size / config->num_attention_heads);
    t->is_decoder = config->is_decoder;
    t->absolute_positions = al_text_has_absolute_positions(config);
    t->positions = al_text_positions(config);
    t->eps = (float)config->layer_norm_eps;
    t->dropout = (float)config->hidden_dropout_prob;
    t->attention_dropout = (float)config->attention_probs_dropout_prob;
    t->padding = padding_of(config);
    t->n_layers = params->text.n_layers;
    t->tapes = al_calloc(t->n_layers, sizeof *t->tapes);
    if (!t->tapes) {
        status = al_error_no_memory(err, t->n_layers * sizeof *t->tapes);
        goto done;
    }
    *out = t;
    t = NULL;
done:
    al_text_trainer_free(t);
    return status;
}

void al_text_trainer_free(al_text_trainer *t)
{
    if (!t)
        return;
    al_free(t->tapes);
    al_free(t);
}
