/*
 * forward.c: `align forward`: the model alone, from a file of raw tensors to a file of all its outputs. The names are
 * the reference's, so that the two can be compared tensor by tensor.
 */
#include "cli.h"
#include <stdlib.h>
#include <string.h>

typedef struct arguments {
    cli_common common;
    const char *inputs, *output, *tower;
    bool no_pooler, gradients;
    align_forward_options forward;
} arguments;

static int check(const cli_command *self, const arguments *args)
{
    if (!args->inputs)
        return cli_usage_error(self, "--inputs is missing");
    if (!args->output)
        return cli_usage_error(self, "--output is missing");
    if (args->tower && args->forward.return_loss)
        return cli_usage_error(self, "--return-loss needs both towers, not --tower %s", args->tower);
    if (args->no_pooler && (!args->tower || strcmp(args->tower, "text") != 0))
        return cli_usage_error(self, "--no-pooler goes with --tower text");
    if (args->gradients && !args->forward.return_loss)
        return cli_usage_error(self, "--gradients goes with --return-loss");
    return CLI_PROCEED;
}

static int parse(const cli_command *self, arguments *args, int argc, char **argv)
{
    const cli_option options[] = {
        {CLI_TEXT, "inputs", "I.safetensors", &args->inputs, 0,
         "file with any of input_ids attention_mask token_type_ids position_ids head_mask inputs_embeds pixel_values"},
        {CLI_TEXT, "output", "O.safetensors", &args->output, 0, "file to write"},
        {CLI_CHOICE, "tower", "text|vision", &args->tower, 0, "run AlignTextModel or AlignVisionModel alone"},
        {CLI_FLAG, "no-pooler", NULL, &args->no_pooler, 0, "with --tower text: add_pooling_layer=False"},
        {CLI_FLAG, "return-loss", NULL, &args->forward.return_loss, 0, "also write loss"},
        {CLI_FLAG, "output-hidden-states", NULL, &args->forward.output_hidden_states, 0, "also write hidden_states.N"},
        {CLI_FLAG, "output-attentions", NULL, &args->forward.output_attentions, 0,
         "also write attentions.N of the text tower"},
        {CLI_FLAG, "gradients", NULL, &args->gradients, 0,
         "with --return-loss: also write the gradient of every parameter, in training mode without dropout"},
        CLI_OPTIONS_COMMON(args->common),
    };
    cli_list rest = {0};
    int code = cli_parse(self, options, CLI_COUNT(options), argc, argv, &rest);
    if (code == CLI_PROCEED && rest.count > 0)
        code = cli_usage_error(self, "takes no arguments, found '%s'", rest.items[0]);
    cli_list_done(&rest);
    return code == CLI_PROCEED ? check(self, args) : code;
}

/* ---- inputs ---- */

static align_tensor *input_named(align_inputs *inputs, const char *name)
{
    const struct {
        const char *name;
        align_tensor *tensor;
    } known[] = {
        {"input_ids", &inputs->input_ids},           {"attention_mask", &inputs->attention_mask},
        {"token_type_ids", &inputs->token_type_ids}, {"position_ids", &inputs->position_ids},
        {"head_mask", &inputs->head_mask},           {"inputs_embeds", &inputs->inputs_embeds},
        {"pixel_values", &inputs->pixel_values},
    };
    for (size_t i = 0; i < CLI_COUNT(known); i++)
        if (strcmp(known[i].name, name) == 0)
            return known[i].tensor;
    return NULL;
}

static void take_inputs(align_inputs *inputs, const align_tensors *file, const arguments *args)
{
    size_t n_others = 0;
    const char *other = NULL;
    for (size_t i = 0; i < align_tensors_count(file); i++) {
        const char *name = align_tensors_name(file, i);
        align_tensor *input = input_named(inputs, name);
        if (input)
            *input = *align_tensors_at(file, i);
        else if (n_others++ == 0)
            other = name;
    }
    if (n_others > 0)
        cli_warn(args->common.quiet, "%s: %zu tensors are not inputs of the model and are ignored, the first is %s",
                 args->inputs, n_others, other);
}

/* ---- outputs ---- */

/* The first failure of a row of additions, so that a list of them reads as a list. */
typedef struct writer {
    align_tensors *tensors;
    align_status status;
    align_error *err;
} writer;

static void put(writer *w, const char *prefix, const char *name, const align_tensor *tensor)
{
    if (w->status != ALIGN_OK || !tensor->data)
        return;
    char *full = cli_format("%s%s", prefix, name);
    w->status = align_tensors_add_view(w->tensors, full, tensor, w->err);
    free(full);
}

static void put_numbered(writer *w, const char *prefix, const char *name, const align_tensor *tensors, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char *numbered = cli_format("%s.%zu", name, i);
        put(w, prefix, numbered, &tensors[i]);
        free(numbered);
    }
}

static void put_text_output(writer *w, const char *prefix, const align_text_output *out)
{
    put(w, prefix, "last_hidden_state", &out->last_hidden_state);
    put(w, prefix, "pooler_output", &out->pooler_output);
    put_numbered(w, prefix, "hidden_states", out->hidden_states, out->n_hidden_states);
    put_numbered(w, prefix, "attentions", out->attentions, out->n_attentions);
}

static void put_vision_output(writer *w, const char *prefix, const align_vision_output *out)
{
    put(w, prefix, "last_hidden_state", &out->last_hidden_state);
    put(w, prefix, "pooler_output", &out->pooler_output);
    put_numbered(w, prefix, "hidden_states", out->hidden_states, out->n_hidden_states);
}

static void put_output(writer *w, const align_output *out)
{
    put(w, "", "loss", &out->loss);
    put(w, "", "logits_per_image", &out->logits_per_image);
    put(w, "", "logits_per_text", &out->logits_per_text);
    put(w, "", "text_embeds", &out->text_embeds);
    put(w, "", "image_embeds", &out->image_embeds);
    put_text_output(w, "text_model_output.", &out->text_model_output);
    put_vision_output(w, "vision_model_output.", &out->vision_model_output);
}

/* ---- running ---- */

static void run_text_tower(writer *w, align_context *context, const align_inputs *in, const arguments *args)
{
    align_text_output out = {0};
    w->status = align_text_model_forward(context, in, &args->forward, &out, w->err);
    put_text_output(w, "", &out);
}

static void run_vision_tower(writer *w, align_context *context, const align_inputs *in, const arguments *args)
{
    align_vision_output out = {0};
    w->status = align_vision_model_forward(context, in, &args->forward, &out, w->err);
    put_vision_output(w, "", &out);
}

/* Both kinds of input give the whole output; one kind alone gives its features. */
static void run_model(writer *w, align_context *context, const align_inputs *in, const arguments *args)
{
    bool has_text = in->input_ids.data || in->inputs_embeds.data;
    bool has_picture = in->pixel_values.data;
    align_tensor features = {0};
    if (has_text && !has_picture && !args->forward.return_loss) {
        w->status = align_model_get_text_features(context, in, &features, w->err);
        put(w, "", "text_features", &features);
    } else if (has_picture && !has_text && !args->forward.return_loss) {
        w->status = align_model_get_image_features(context, in, &features, w->err);
        put(w, "", "image_features", &features);
    } else {
        align_output out = {0};
        w->status = align_model_forward(context, in, &args->forward, &out, w->err);
        put_output(w, &out);
    }
}

/*
 * A pass in training mode and what came of it: the pictures' outputs, the logits and the loss are those of this pass.
 * The text tower without dropout gives the same in both modes. *gradients is what the writer's views point into.
 */
static void run_gradients(writer *w, align_tensors **gradients, const cli_session *session, const align_inputs *in,
                          const arguments *args)
{
    align_text_output text = {0};
    align_gradient_options options = ALIGN_GRADIENT_OPTIONS_INIT;
    options.threads = (int)args->common.threads;
    options.output_hidden_states = args->forward.output_hidden_states;
    w->status = align_model_gradients(gradients, session->model, in, &options, w->err);
    if (w->status == ALIGN_OK)
        w->status = align_text_model_forward(session->context, in, &args->forward, &text, w->err);
    if (w->status != ALIGN_OK)
        return;
    for (size_t i = 0; i < align_tensors_count(*gradients); i++)
        put(w, "", align_tensors_name(*gradients, i), align_tensors_at(*gradients, i));
    put_text_output(w, "text_model_output.", &text);
}

static bool is_tower(const arguments *args, const char *name)
{
    return args->tower && strcmp(args->tower, name) == 0;
}

static align_status forward(cli_session *session, const arguments *args, align_error *err)
{
    align_tensors *file = NULL, *gradients = NULL;
    align_inputs inputs = ALIGN_INPUTS_INIT;
    writer w = {NULL, ALIGN_OK, err};
    w.status = align_tensors_open(&file, args->inputs, err);
    if (w.status == ALIGN_OK)
        w.status = align_tensors_new(&w.tensors, err);
    if (w.status == ALIGN_OK) {
        take_inputs(&inputs, file, args);
        if (is_tower(args, "text"))
            run_text_tower(&w, session->context, &inputs, args);
        else if (is_tower(args, "vision"))
            run_vision_tower(&w, session->context, &inputs, args);
        else if (args->gradients)
            run_gradients(&w, &gradients, session, &inputs, args);
        else
            run_model(&w, session->context, &inputs, args);
    }
    if (w.status == ALIGN_OK)
        w.status = align_tensors_save(w.tensors, args->output, err);
    if (w.status == ALIGN_OK && args->common.json)
        cli_print_json(
            json_pack("{s:o, s:o}", "output", cli_json_text(args->output), "tensors", cli_json_tensors(w.tensors)));
    align_tensors_free(w.tensors);
    align_tensors_free(gradients);
    align_tensors_free(file);
    return w.status;
}

static int run(const cli_command *self, int argc, char **argv)
{
    arguments args = {.forward = ALIGN_FORWARD_OPTIONS_INIT};
    cli_session session = {0};
    align_load_options load = ALIGN_LOAD_OPTIONS_INIT;
    align_error err = ALIGN_ERROR_INIT;
    int code = parse(self, &args, argc, argv);
    if (code != CLI_PROCEED)
        return code;
    load.no_pooler = args.no_pooler;
    if (is_tower(&args, "text"))
        load.tower = ALIGN_TOWER_TEXT;
    else if (is_tower(&args, "vision"))
        load.tower = ALIGN_TOWER_VISION;
    bool ready = cli_check_output(args.output) && cli_session_open_model(&session, &args.common, &load);
    code = ready ? CLI_DONE : CLI_FAILED;
    if (ready && forward(&session, &args, &err) != ALIGN_OK)
        code = cli_fail("%s", err.message);
    cli_session_done(&session);
    return code;
}

const cli_command cli_forward = {
    .name = "forward",
    .arguments = "--inputs I.safetensors --output O.safetensors [options]",
    .summary = "run the model on raw tensors",
    .description = "Texts and pictures give everything that AlignModel returns; texts alone give text_features, "
                   "pictures alone image_features (not normalised). --tower runs one tower and writes its outputs "
                   "without a prefix. All outputs are F32, integers are read as I64 or I32. --gradients also writes "
                   "grad.NAME of every parameter and buffer.NAME of every running statistic; loss, logits and "
                   "pictures' outputs are then those of the training pass.",
    .examples = "  align forward --inputs inputs.safetensors --output outputs.safetensors --return-loss\n"
                "  align forward --tower text --inputs inputs.safetensors --output text.safetensors\n",
    .run = run,
};
