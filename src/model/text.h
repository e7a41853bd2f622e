#ifndef AL_TEXT_H
#define AL_TEXT_H
/* text.h (inside): the text tower. See text.c for what it computes. */
#include "layers/run.h"
#include "model/model.h"

/* One forward pass. B texts of S tokens, H hidden_size, L layers, A heads. */
typedef struct al_text_pass {
    size_t batch, tokens;
    const align_tensor *input_ids, *inputs_embeds; /* one of them; the other has data NULL */
    const align_tensor *token_type_ids;            /* [B, S], or data NULL: zeros */
    const align_tensor *position_ids;              /* [B, S], [1, S] or [S], or data NULL: 0 .. S-1 */
    const align_tensor *attention_mask;            /* [B, S] or [B, S, S], or data NULL: ones */
    const align_tensor *head_mask;                 /* [A] or [L, A], or data NULL: ones */
    float *first_states;                           /* out [B, H]: the first tokens' last states alone; or NULL */
    float *last_hidden_state;                      /* out [B, S, H]; not with first_states, nor are those below */
    float *pooler_output;                          /* out [B, H], or NULL */
    const align_tensor *hidden_states; /* out, L + 1 of [B, S, H], the last being last_hidden_state; or NULL */
    const align_tensor *attentions;    /* out, L of [B, A, S, S]; or NULL */
} al_text_pass;

/* With first_states, masked tokens are left out where that changes nothing, and the last layer computes one row a text.
 */
void al_text_forward(const al_run *run, const al_text_tower *tower, const al_text_pass *pass);

/* features [B, P] = text_projection(states), the first tokens' last states, which stand row_stride floats apart */
void al_text_project(const al_run *run, const al_text_tower *tower, size_t batch, size_t row_stride,
                     const float *states, float *features);

bool al_text_has_pooler(const al_text_tower *tower);
size_t al_text_layers(const al_text_tower *tower);
size_t al_text_heads(const al_text_tower *tower, size_t layer);
#endif
