/* context.c: see context.h. */
#include "model/context.h"

#include "base/memory.h"
#include "base/status.h"
#include "layers/profile.h"
#include "model/text.h"
#include "model/vision.h"

align_status align_context_new(align_context **out, const align_model *model, const align_context_options *options,
                               align_error *err)
{
    const align_context_options defaults = ALIGN_CONTEXT_OPTIONS_INIT;
    align_status status = ALIGN_OK;
    if (!out || !model)
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "NULL for the %s", out ? "model" : "context");
    *out = NULL;
    if (!options)
        options = &defaults;
    if (options->max_bytes < 0)
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "max_bytes: %" PRId64 " is negative",
                            options->max_bytes);
    align_context *c = al_calloc(1, sizeof *c);
    if (!c)
        return al_error_no_memory(err, sizeof *c);
    c->model = model;
    c->limit = (size_t)options->max_bytes;
    const size_t layers = model->text ? al_text_layers(model->text) : 0;
    const size_t blocks = model->vision ? al_vision_blocks(model->vision) : 0;
    c->text_states = al_calloc(layers + 1, sizeof *c->text_states);
    c->attentions = al_calloc(layers + 1, sizeof *c->attentions);
    c->vision_states = al_calloc(blocks + 1, sizeof *c->vision_states);
    if (!c->text_states || !c->attentions || !c->vision_states) {
        status = al_error_no_memory(err, (2 * layers + blocks + 3) * sizeof *c->text_states);
        goto done;
    }
    TRY(al_threads_new(&c->threads, options->threads, err));
    *out = c;
    c = NULL;
done:
    align_context_free(c);
    return status;
}

void align_context_free(align_context *c)
{
    if (!c)
        return;
    al_threads_free(c->threads);
    al_arena_done(&c->workspace);
    al_arena_done(&c->results);
    al_profile_free(c->profile);
    al_free(c->text_states);
    al_free(c->attentions);
    al_free(c->vision_states);
    al_free(c);
}

size_t align_context_workspace(const align_context *c)
{
    return c->workspace_bytes;
}

align_status align_context_profile_start(align_context *c, align_error *err)
{
    if (!c)
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "NULL for the context");
    if (c->profile) {
        al_profile_reset(c->profile);
        return ALIGN_OK;
    }
    const size_t layers = c->model->text ? al_text_layers(c->model->text) : 0;
    const size_t blocks = c->model->vision ? al_vision_blocks(c->model->vision) : 0;
    return al_profile_new(&c->profile, blocks, layers, (size_t)al_threads_count(c->threads), err);
}

align_status align_context_profile(const align_context *c, align_profile *out, align_error *err)
{
    if (!c || !out)
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "NULL for the %s", c ? "profile" : "context");
    if (!c->profile)
        return al_error_set(err, ALIGN_ERROR_INVALID_ARGUMENT, "this context keeps no profile");
    *out = al_profile_get(c->profile);
    return ALIGN_OK;
}

double align_context_peak(align_context *c)
{
    return al_peak_macs(al_kernels_get(), c->threads);
}

align_status al_context_run(align_context *c, al_pass pass, void *user, align_error *err)
{
    const al_run plan = {al_kernels_get(), c->threads, &c->workspace, true, NULL};
    const al_run run = {plan.kernels, c->threads, &c->workspace, false, c->profile};
    al_profile_block(&run, ALIGN_TOWER_BOTH, 0);
    al_profile_step(&run, ALIGN_STEP_PLAN);
    const al_arena_rehearsal workspace = al_arena_rehearse(&c->workspace), results = al_arena_rehearse(&c->results);
    pass(&plan, &c->results, user);
    const size_t need = c->workspace.peak, room = c->limit && c->limit > need ? c->limit - need : c->limit ? 1 : 0;
    const align_status first = al_arena_reserve(&c->workspace, workspace, c->limit, err);
    const align_status second = al_arena_reserve(&c->results, results, room, first == ALIGN_OK ? err : NULL);
    const align_status status = first != ALIGN_OK ? first : second;
    if (status == ALIGN_OK) {
        if (need > c->workspace_bytes)
            c->workspace_bytes = need;
        pass(&run, &c->results, user);
    }
    al_profile_end(&run);
    return status;
}
