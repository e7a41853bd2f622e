/*
 * inspect.c: `align inspect`: what is in a model folder or in a single file of weights: config, sizes, costs, tensors.
 */
#include "cli.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define TEXT_LENGTH 64

typedef struct arguments {
    cli_common common;
    cli_list paths;
    bool tensors;
    int64_t image_size, tokens; /* 0: the model's own */
} arguments;

static int parse(const cli_command *self, arguments *args, int argc, char **argv)
{
    const cli_option options[] = {
        {CLI_FLAG, "tensors", NULL, &args->tensors, 0, "list every tensor"},
        {CLI_INT, "image-size", "N", &args->image_size, 1,
         "rows and columns of the picture that is counted (default: what the processor makes)"},
        {CLI_INT, "tokens", "N", &args->tokens, 1, "tokens of the text that is counted (default: 64)"},
        CLI_OPTIONS_COMMON(args->common),
    };
    int code = cli_parse(self, options, CLI_COUNT(options), argc, argv, &args->paths);
    if (code == CLI_PROCEED && args->paths.count > 0 && args->common.model)
        code = cli_usage_error(self, "takes MODEL or --model, not both");
    if (code == CLI_PROCEED && args->paths.count > 1)
        code =
            cli_usage_error(self, "takes one model, found '%s' and '%s'", args->paths.items[0], args->paths.items[1]);
    return code;
}

/* ---- tensors ---- */

static char *shape_text(const align_tensor *tensor)
{
    char *text = cli_format("[");
    for (int i = 0; i < tensor->rank; i++) {
        char *longer = cli_format("%s%s%" PRId64, text, i ? ", " : "", tensor->shape[i]);
        free(text);
        text = longer;
    }
    char *whole = cli_format("%s]", text);
    free(text);
    return whole;
}

static void print_tensors(const align_tensors *tensors)
{
    size_t widest = 0;
    for (size_t i = 0; i < align_tensors_count(tensors); i++) {
        size_t width = cli_text_width(align_tensors_name(tensors, i));
        widest = width > widest ? width : widest;
    }
    for (size_t i = 0; i < align_tensors_count(tensors); i++) {
        const align_tensor *tensor = align_tensors_at(tensors, i);
        char *shape = shape_text(tensor);
        cli_print_text(align_tensors_name(tensors, i), widest, 0);
        printf("  %-4s  %s\n", align_dtype_name(tensor->dtype), shape);
        free(shape);
    }
}

/* Elements and bytes of the tensors, and how many there are of each type. */
typedef struct totals {
    int64_t elements, bytes;
    size_t of_type[ALIGN_DTYPE_COUNT];
} totals;

static totals count_totals(const align_tensors *tensors)
{
    totals t = {0};
    for (size_t i = 0; i < align_tensors_count(tensors); i++) {
        const align_tensor *tensor = align_tensors_at(tensors, i);
        int64_t n = align_tensor_elements(tensor);
        t.elements += n;
        t.bytes += n * (int64_t)align_dtype_size(tensor->dtype);
        t.of_type[tensor->dtype]++;
    }
    return t;
}

/* "269 F32, 27 I64" */
static void print_types(const totals *t)
{
    const char *comma = "";
    for (int type = 0; type < ALIGN_DTYPE_COUNT; type++) {
        if (t->of_type[type] == 0)
            continue;
        printf("%s%zu %s", comma, t->of_type[type], align_dtype_name((align_dtype)type));
        comma = ", ";
    }
}

/* A count with three or more digits and a decimal prefix: "6.52 k", "12.3 M", "1.9 G". */
static void print_scaled(int64_t count, const char *unit)
{
    static const char *const prefixes[] = {"", "k", "M", "G", "T"};
    double value = (double)count;
    size_t prefix = 0;
    while (value >= 1000 && prefix + 1 < CLI_COUNT(prefixes)) {
        value /= 1000;
        prefix++;
    }
    printf("%.*f %s%s", prefix == 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2, value, prefixes[prefix], unit);
}

/* ---- a file ---- */

static int inspect_file(const arguments *args, const char *path)
{
    align_error err = ALIGN_ERROR_INIT;
    align_tensors *tensors = NULL;
    if (align_tensors_open(&tensors, path, &err) != ALIGN_OK)
        return cli_fail("%s", err.message);
    totals t = count_totals(tensors);
    if (args->common.json) {
        cli_print_json(json_pack("{s:o, s:I, s:I, s:o}", "path", cli_json_text(path), "elements",
                                 (json_int_t)t.elements, "stored_bytes", (json_int_t)t.bytes, "tensors",
                                 cli_json_tensors(tensors)));
    } else {
        print_tensors(tensors);
        printf("%zu tensors (", align_tensors_count(tensors));
        print_types(&t);
        printf("), %" PRId64 " elements, ", t.elements);
        print_scaled(t.bytes, "B");
        putchar('\n');
    }
    align_tensors_free(tensors);
    return CLI_DONE;
}

/* ---- a folder ---- */

typedef struct subject {
    const char *path;
    const align_model *model;
    int64_t image_size, tokens;
    align_model_stats stats;
} subject;

/* The side of the pictures that the folder's processor makes, or 0. */
static int64_t processor_size(const char *folder)
{
    align_image_processor_config config;
    int64_t height = 0, width = 0;
    if (align_image_processor_config_from_pretrained(&config, folder, NULL) == ALIGN_OK && config.do_resize)
        align_image_processor_output_size(&config, config.size_height, config.size_width, &height, &width);
    return height > width ? height : width;
}

static align_status measure(subject *s, const arguments *args, align_error *err)
{
    const align_config *config = align_model_config(s->model);
    int64_t positions = config->text_config.max_position_embeddings;
    s->image_size = args->image_size ? args->image_size : processor_size(s->path);
    if (s->image_size == 0)
        s->image_size = config->vision_config.image_size;
    s->tokens = args->tokens ? args->tokens : positions < TEXT_LENGTH ? positions : TEXT_LENGTH;
    return align_model_get_stats(s->model, s->image_size, s->tokens, &s->stats, err);
}

static const char *class_name(align_tower tower)
{
    return tower == ALIGN_TOWER_TEXT     ? "AlignTextModel"
           : tower == ALIGN_TOWER_VISION ? "AlignVisionModel"
                                         : "AlignModel";
}

static align_status parse_config(json_t **out, char *text, align_status status)
{
    *out = status == ALIGN_OK ? json_loads(text, 0, NULL) : NULL;
    align_free(text);
    return status;
}

static align_status text_config_json(const align_model *model, json_t **out, align_error *err)
{
    char *text = NULL;
    align_status status = align_text_config_to_json(&align_model_config(model)->text_config, &text, err);
    return parse_config(out, text, status);
}

static align_status vision_config_json(const align_model *model, json_t **out, align_error *err)
{
    char *text = NULL;
    align_status status = align_vision_config_to_json(&align_model_config(model)->vision_config, &text, err);
    return parse_config(out, text, status);
}

/* The config with its towers' configs in full: a saved AlignConfig leaves out what is at its default. */
static align_status full_config_json(const align_model *model, json_t **out, align_error *err)
{
    char *text = NULL;
    json_t *text_config = NULL, *vision_config = NULL;
    align_status status = align_config_to_json(align_model_config(model), &text, err);
    status = parse_config(out, text, status);
    if (status == ALIGN_OK)
        status = text_config_json(model, &text_config, err);
    if (status == ALIGN_OK)
        status = vision_config_json(model, &vision_config, err);
    json_object_set_new(*out, "text_config", text_config);
    json_object_set_new(*out, "vision_config", vision_config);
    return status;
}

static align_status config_json(const align_model *model, json_t **out, align_error *err)
{
    switch (align_model_tower(model)) {
    case ALIGN_TOWER_TEXT:
        return text_config_json(model, out, err);
    case ALIGN_TOWER_VISION:
        return vision_config_json(model, out, err);
    default:
        return full_config_json(model, out, err);
    }
}

/* {"F32": 64, "I64": 6} */
static json_t *json_types(const align_tensors *tensors)
{
    json_t *types = json_object();
    totals t = count_totals(tensors);
    for (int type = 0; type < ALIGN_DTYPE_COUNT; type++)
        if (t.of_type[type] > 0)
            json_object_set_new(types, align_dtype_name((align_dtype)type), json_integer((json_int_t)t.of_type[type]));
    return types;
}

static json_t *json_names(const char *const *names, size_t n)
{
    json_t *array = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(array, cli_json_text(names[i]));
    return array;
}

static int print_json(const subject *s)
{
    json_t *config = NULL;
    align_error err = ALIGN_ERROR_INIT;
    if (config_json(s->model, &config, &err) != ALIGN_OK) {
        json_decref(config);
        return cli_fail("%s", err.message);
    }
    const align_load_report *report = align_model_report(s->model);
    const align_model_stats *stats = &s->stats;
    const align_tensors *state = align_model_state(s->model);
    json_t *object = json_pack("{s:o, s:s, s:o}", "path", cli_json_text(s->path), "class",
                               class_name(align_model_tower(s->model)), "config", config);
    json_t *sizes = json_pack(
        "{s:{s:I, s:I, s:I}, s:I, s:o, s:I, s:I, s:I, s:I}", "parameters", "total", (json_int_t)stats->parameters,
        "text", (json_int_t)stats->text_parameters, "vision", (json_int_t)stats->vision_parameters, "stored_bytes",
        (json_int_t)stats->stored_bytes, "dtypes", json_types(state), "image_size", (json_int_t)s->image_size, "tokens",
        (json_int_t)s->tokens, "image_macs", (json_int_t)stats->image_macs, "text_macs", (json_int_t)stats->text_macs);
    json_t *lists = json_pack("{s:o, s:o, s:o, s:o}", "missing", json_names(report->missing, report->n_missing),
                              "unexpected", json_names(report->unexpected, report->n_unexpected), "mismatched",
                              json_names(report->mismatched, report->n_mismatched), "tensors", cli_json_tensors(state));
    const char *layout = align_model_layout(s->model);
    json_object_set_new(object, "precision", json_string(align_precision_name(align_model_precision(s->model))));
    json_object_set_new(object, "packed", layout ? json_string(layout) : json_null());
    json_object_update(object, sizes);
    json_object_update(object, lists);
    json_decref(sizes);
    json_decref(lists);
    cli_print_json(object);
    return CLI_DONE;
}

static void print_names(const char *what, const char *const *names, size_t n)
{
    if (n == 0)
        return;
    printf("%-15s %zu: %s%s\n", what, n, names[0], n > 1 ? ", ..." : "");
}

static void print_text_tower(const align_text_config *c)
{
    printf("%-15s %" PRId64 " layers, hidden %" PRId64 ", %" PRId64 " heads, intermediate %" PRId64
           ", %s, %s positions\n",
           "text", c->num_hidden_layers, c->hidden_size, c->num_attention_heads, c->intermediate_size, c->hidden_act,
           c->position_embedding_type);
    printf("%-15s vocabulary %" PRId64 ", at most %" PRId64 " tokens\n", "", c->vocab_size, c->max_position_embeddings);
}

static void print_vision_tower(const align_vision_config *c)
{
    int64_t blocks = 0;
    for (size_t i = 0; i < c->num_block_repeats.count && i < c->in_channels.count; i++)
        blocks += align_round_repeats(c, c->num_block_repeats.data[i]);
    int64_t channels = c->out_channels.count ? c->out_channels.data[c->out_channels.count - 1] : 0;
    printf("%-15s EfficientNet, %" PRId64 " blocks, width %g, depth %g, %" PRId64 " channels out, %s, %s pooling\n",
           "pictures", blocks, c->width_coefficient, c->depth_coefficient, align_round_filters(c, channels),
           c->hidden_act, c->pooling_type);
}

static void print_summary(const subject *s)
{
    const align_config *config = align_model_config(s->model);
    const align_load_report *report = align_model_report(s->model);
    align_tower tower = align_model_tower(s->model);
    totals t = count_totals(align_model_state(s->model));
    printf("%-15s %s in %s\n", "model", class_name(tower), s->path);
    if (tower != ALIGN_TOWER_VISION)
        print_text_tower(&config->text_config);
    if (tower != ALIGN_TOWER_TEXT)
        print_vision_tower(&config->vision_config);
    if (tower == ALIGN_TOWER_BOTH)
        printf("%-15s %" PRId64 " numbers, temperature %g\n", "embedding", config->projection_dim,
               (double)align_model_temperature(s->model));
    printf("%-15s %" PRId64 " (text %" PRId64 ", vision %" PRId64 ")\n", "parameters", s->stats.parameters,
           s->stats.text_parameters, s->stats.vision_parameters);
    printf("%-15s ", "stored");
    print_scaled(s->stats.stored_bytes, "B");
    printf(" in %zu tensors (", align_tensors_count(align_model_state(s->model)));
    print_types(&t);
    puts(")");
    if (align_model_layout(s->model))
        printf("%-15s %s, layout %s\n", "packed", align_precision_name(align_model_precision(s->model)),
               align_model_layout(s->model));
    if (tower != ALIGN_TOWER_TEXT) {
        printf("%-15s ", "cost");
        print_scaled(s->stats.image_macs, "MACs");
        printf(" a picture of %" PRId64 " x %" PRId64 "\n", s->image_size, s->image_size);
    }
    if (tower != ALIGN_TOWER_VISION) {
        printf("%-15s ", tower == ALIGN_TOWER_TEXT ? "cost" : "");
        print_scaled(s->stats.text_macs, "MACs");
        printf(" a text of %" PRId64 " tokens\n", s->tokens);
    }
    print_names("missing", report->missing, report->n_missing);
    print_names("unexpected", report->unexpected, report->n_unexpected);
    print_names("mismatched", report->mismatched, report->n_mismatched);
}

static int inspect_folder(const arguments *args, const char *path)
{
    align_error err = ALIGN_ERROR_INIT;
    align_load_options load = ALIGN_LOAD_OPTIONS_INIT;
    align_model *model = NULL;
    load.tower = cli_model_tower(path);
    load.ignore_mismatched_sizes = true; /* to show them */
    subject s = {.path = path};
    int code = CLI_DONE;
    align_status status = align_model_from_pretrained(&model, path, &load, &err);
    s.model = model;
    if (status == ALIGN_OK)
        status = measure(&s, args, &err);
    if (status != ALIGN_OK)
        code = cli_fail("%s", err.message);
    else if (args->common.json)
        code = print_json(&s);
    else
        print_summary(&s);
    if (code == CLI_DONE && args->tensors && !args->common.json)
        print_tensors(align_model_state(model));
    align_model_free(model);
    return code;
}

static int run(const cli_command *self, int argc, char **argv)
{
    arguments args = {0};
    int code = parse(self, &args, argc, argv);
    if (code == CLI_PROCEED) {
        if (args.paths.count > 0)
            args.common.model = args.paths.items[0];
        char *path = cli_model_folder(&args.common);
        struct stat info;
        code = CLI_FAILED;
        if (path)
            code = stat(path, &info) == 0 && S_ISREG(info.st_mode) ? inspect_file(&args, path)
                                                                   : inspect_folder(&args, path);
        free(path);
    }
    cli_list_done(&args.paths);
    return code;
}

const cli_command cli_inspect = {
    .name = "inspect",
    .arguments = "[MODEL] [options]",
    .summary = "describe a model",
    .description = "Prints config, tensors, parameter counts and multiply-adds of a model folder, or the tensors of a "
                   "single .safetensors, .align or PyTorch file. Without MODEL: the model that ships.",
    .examples = "  align inspect models/emoji\n"
                "  align inspect pytorch_model.bin --json\n",
    .run = run,
};
