/* context.c: see context.h. */
#include "model/context.h"

#include "base/memory.h"
#include "base/status.h"
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
    al_free(c->text_states);
    al_free(c->attentions);
    al_free(c->vision_states);
    al_free(c);
}

size_t align_context_workspace(const align_context *c)
{
    return c->workspace_bytes;
}

align_status al_context_run(align_context *c, al_pass pass, void *user, align_error *err)
{
    align_status status = ALIGN_OK;
    al_run run = {al_kernels_get(), c->threads, &c->workspace, true};
    const al_arena_rehearsal workspace = al_arena_rehearse(&c->workspace), results = al_arena_rehearse(&c->results);
    pass(&run, &c->results, user);
    const size_t need = c->workspace.peak, room = c->limit && c->limit > need ? c->limit - need : c->limit ? 1 : 0;
    const align_status first = al_arena_reserve(&c->workspace, workspace, c->limit, err);
    const align_status second = al_arena_reserve(&c->results, results, room, first == ALIGN_OK ? err : NULL);
    status = first != ALIGN_OK ? first : second;
    if (status != ALIGN_OK)
        return status;
    if (need > c->workspace_bytes)
        c->workspace_bytes = need;
    run.dry = false;
    pass(&run, &c->results, user);
    return ALIGN_OK;
}
