/* text_rows.c: see text_rows.h. */
#include "model/text_rows.h"

#include "base/tensor.h"
#include "layers/embedding.h"

#include <float.h>
#include <string.h>

static float mask_value(const align_tensor *mask, size_t i)
{
    float value;
    al_to_f32(mask->dtype, (const char *)mask->data + i * align_dtype_size(mask->dtype), 1, &value);
    return value;
}

al_text_rows al_text_rows_to_compute(const al_run *run, const al_text_pass *pass, bool may_leave_out)
{
    const align_tensor *mask = pass->attention_mask;
    const size_t tokens = pass->tokens, all = pass->batch * tokens;
    al_text_rows rows = {all, NULL, NULL};
    size_t n = 0;
    if (!may_leave_out || !mask->data || mask->rank != 2)
        return rows;
    for (size_t i = 0; i < all; i++) {
        const float m = mask_value(mask, i);
        if ((m != 0.0f && m != 1.0f) || (i % tokens == 0 && m == 0.0f))
            return rows;
        n += m == 1.0f;
    }
    size_t *offsets = al_arena_take(run->arena, pass->batch + 1, sizeof *offsets);
    size_t *source = al_arena_take(run->arena, n, sizeof *source);
    rows = (al_text_rows){n, offsets, source};
    if (run->dry)
        return rows;
    n = 0;
    for (size_t i = 0; i < all; i++) {
        if (i % tokens == 0)
            offsets[i / tokens] = n;
        if (mask_value(mask, i) == 1.0f)
            source[n++] = i;
    }
    offsets[pass->batch] = n;
    return rows;
}

const int64_t *al_text_integers(const al_run *run, const al_text_pass *pass, const al_text_rows *rows,
                                const align_tensor *tensor, int64_t step)
{
    int64_t *out = al_arena_take(run->arena, rows->n, sizeof *out);
    if (run->dry)
        return out;
    const size_t given = tensor->data ? (size_t)align_tensor_elements(tensor) : 0;
    for (size_t i = 0; i < rows->n; i++) {
        const size_t at = rows->source ? rows->source[i] : i;
        out[i] = tensor->data ? al_tensor_integer(tensor, at % given) : step * (int64_t)(at % pass->tokens);
    }
    return out;
}

static void copy_embeds(const al_text_rows *rows, const align_tensor *embeds, size_t h, float *y)
{
    const size_t size = align_dtype_size(embeds->dtype);
    for (size_t i = 0; i < rows->n; i++) {
        const size_t at = rows->source ? rows->source[i] : i;
        al_to_f32(embeds->dtype, (const char *)embeds->data + at * h * size, h, y + i * h);
    }
}

void al_text_embed(const al_run *run, const al_text_tables *tables, const al_text_pass *pass, const al_text_rows *rows,
                   float *y)
{
    const size_t mark = al_arena_mark(run->arena), n = rows->n;
    if (pass->input_ids->data)
        al_embedding_forward(run, tables->word, n, al_text_integers(run, pass, rows, pass->input_ids, 0), false, y);
    else if (!run->dry)
        copy_embeds(rows, pass->inputs_embeds, (size_t)tables->word->shape[1], y);
    al_embedding_forward(run, tables->token_type, n, al_text_integers(run, pass, rows, pass->token_type_ids, 0), true,
                         y);
    if (tables->position)
        al_embedding_forward(run, tables->position, n, al_text_integers(run, pass, rows, pass->position_ids, 1), true,
                             y);
    al_arena_release(run->arena, mark);
}

const float *al_text_mask_scores(const al_run *run, const al_text_pass *pass, bool is_decoder, size_t *rows)
{
    const align_tensor *mask = pass->attention_mask;
    const size_t tokens = pass->tokens, given = mask->data && mask->rank == 3 ? tokens : 1;
    const bool causal = is_decoder && given == 1;
    *rows = causal ? tokens : given;
    if (!mask->data && !causal)
        return NULL;
    float *out = al_arena_floats(run->arena, pass->batch * *rows * tokens);
    float *m = al_arena_floats(run->arena, pass->batch * given * tokens);
    if (run->dry)
        return out;
    if (mask->data)
        align_tensor_to_f32(mask, m);
    for (size_t b = 0; b < pass->batch; b++)
        for (size_t l = 0; l < *rows; l++)
            for (size_t r = 0; r < tokens; r++) {
                const float seen = mask->data ? m[(b * given + (given == 1 ? 0 : l)) * tokens + r] : 1.0f;
                out[(b * *rows + l) * tokens + r] = (1.0f - (causal && r > l ? 0.0f : seen)) * -FLT_MAX;
            }
    return out;
}

const float *al_text_head_factors(const al_run *run, const al_text_pass *pass)
{
    if (!pass->head_mask->data)
        return NULL;
    float *factors = al_arena_floats(run->arena, (size_t)align_tensor_elements(pass->head_mask));
    if (!run->dry)
        align_tensor_to_f32(pass->head_mask, factors);
    return factors;
}

const float *al_text_layer_factors(const al_text_pass *pass, const float *factors, size_t layer, size_t heads)
{
    return factors && pass->head_mask->rank == 2 ? factors + layer * heads : factors;
}

size_t al_text_first_row(const al_attention_input *in, size_t text)
{
    return in->offsets ? in->offsets[text] : text * in->tokens;
}

void al_text_first_rows(const al_run *run, const al_attention_input *in, size_t hidden_size, const float *x, float *out)
{
    for (size_t b = 0; b < in->batch && !run->dry; b++)
        memcpy(out + b * hidden_size, x + al_text_first_row(in, b) * hidden_size, hidden_size * sizeof *out);
}

bool al_text_has_absolute_positions(const align_text_config *config)
{
    return !strcmp(config->position_embedding_type, "absolute");
}

al_positions al_text_positions(const align_text_config *config)
{
    if (!strcmp(config->position_embedding_type, "relative_key"))
        return AL_POSITIONS_KEY;
    return strcmp(config->position_embedding_type, "relative_key_query") ? AL_POSITIONS_NONE : AL_POSITIONS_KEY_QUERY;
}
