/*
 * convert.c: `align convert`: a model folder into another form: element type, safetensors or PyTorch, shards, variant,
 * or packed for this CPU. The weights go through the model, so that what is written is complete and has today's key
 * names; the processor's files are copied as they are. A single file of tensors becomes a safetensors file.
 */
#include "cli.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct arguments {
    cli_common common;
    cli_list paths;
    const char *output, *dtype, *format, *max_shard_size, *variant, *from_variant;
    bool pack;
    align_save_options save;
    align_load_options load;
} arguments;

/* A precision other than f32 has no form but the packed one: --dtype says how numbers are stored, not what is computed.
 */
static int check_packing(const cli_command *self, arguments *args)
{
    align_error err = ALIGN_ERROR_INIT;
    if (args->common.precision &&
        align_precision_from_name(&args->load.precision, args->common.precision, &err) != ALIGN_OK)
        return cli_usage_error(self, "--precision: %s", err.message);
    args->pack |= args->load.precision > ALIGN_PRECISION_F32;
    if (args->pack && (args->dtype || args->format || args->max_shard_size || args->variant))
        return cli_usage_error(self, "a packed model has one form: --pack, --precision bf16 and --precision int8 take "
                                     "no --dtype, --format, --max-shard-size or --variant");
    return CLI_PROCEED;
}

/* Fills args->save. What can be judged before anything is written is judged here. */
static int check_options(const cli_command *self, arguments *args)
{
    align_error err = ALIGN_ERROR_INIT;
    if (args->dtype) {
        args->save.cast = true;
        if (align_dtype_from_name(&args->save.dtype, args->dtype, &err) != ALIGN_OK)
            return cli_usage_error(self, "--dtype: %s", err.message);
    }
    if (args->max_shard_size && align_parse_size(&args->save.max_shard_size, args->max_shard_size, &err) != ALIGN_OK)
        return cli_usage_error(self, "--max-shard-size: %s", err.message);
    if (args->save.max_shard_size <= 0)
        return cli_usage_error(self, "--max-shard-size: a file of %s holds nothing", args->max_shard_size);
    if (args->variant && (!*args->variant || strchr(args->variant, '/')))
        return cli_usage_error(self, "--variant is a part of a file name, not '%s'", args->variant);
    if (args->output && !*args->output)
        return cli_usage_error(self, "the folder to write has no name");
    args->save.safe_serialization = !args->format || strcmp(args->format, "safetensors") == 0;
    args->save.variant = args->variant;
    return CLI_PROCEED;
}

/* Two folders are --model and --output; two files are what they are. */
static int check_paths(const cli_command *self, arguments *args)
{
    if (args->paths.count == 0)
        return args->output ? CLI_PROCEED : cli_usage_error(self, "--output is missing");
    if (args->paths.count != 2)
        return cli_usage_error(self, "takes FROM and TO, or --model and --output");
    if (args->common.model || args->output)
        return cli_usage_error(self, "takes FROM and TO, or --model and --output, not both");
    struct stat info;
    if (stat(args->paths.items[0], &info) != 0)
        return cli_fail("%s: %s", args->paths.items[0], strerror(errno));
    if (S_ISDIR(info.st_mode)) {
        args->common.model = args->paths.items[0];
        args->output = args->paths.items[1];
        return CLI_PROCEED;
    }
    if (args->pack || args->dtype || args->format || args->max_shard_size || args->variant || args->from_variant)
        return cli_usage_error(self, "a single file is only converted to safetensors: no other options");
    if (!cli_has_suffix(args->paths.items[1], ".safetensors"))
        return cli_usage_error(self, "a single file becomes a .safetensors file, not '%s'", args->paths.items[1]);
    return CLI_PROCEED;
}

static int parse(const cli_command *self, arguments *args, int argc, char **argv)
{
    const cli_option options[] = {
        {CLI_TEXT, "output", "DIR", &args->output, 0, "folder to write"},
        {CLI_CHOICE, "dtype", "f32|f16|bf16", &args->dtype, 0, "element type of the floats (default: as stored)"},
        {CLI_CHOICE, "format", "safetensors|bin", &args->format, 0, "kind of file (default: safetensors)"},
        {CLI_TEXT, "max-shard-size", "SIZE", &args->max_shard_size, 0, "largest file: 5GB, 200MB, 1MiB (default: 5GB)"},
        {CLI_FLAG, "pack", NULL, &args->pack, 0,
         "write model.align, which CPUs like this one load at once; also implied by --precision bf16 or int8"},
        {CLI_TEXT, "variant", "V", &args->variant, 0, "write model.V.safetensors instead of model.safetensors"},
        {CLI_TEXT, "from-variant", "V", &args->from_variant, 0, "read model.V.safetensors"},
        CLI_OPTIONS_COMMON(args->common),
    };
    int code = cli_parse(self, options, CLI_COUNT(options), argc, argv, &args->paths);
    if (code == CLI_PROCEED)
        code = check_packing(self, args);
    if (code == CLI_PROCEED)
        code = check_paths(self, args);
    return code == CLI_PROCEED ? check_options(self, args) : code;
}

/* ---- copying ---- */

static bool copy_bytes(int from, int to)
{
    char buffer[1 << 16];
    ssize_t got;
    while ((got = read(from, buffer, sizeof buffer)) > 0)
        for (ssize_t done = 0, n; done < got; done += n)
            if ((n = write(to, buffer + done, (size_t)(got - done))) < 0)
                return false;
    return got == 0;
}

/* Beside the target first, so that nobody finds half a file. A file that does not exist is not copied. */
static bool copy_file(const char *from_folder, const char *to_folder, const char *name)
{
    char *from = cli_format("%s/%s", from_folder, name), *to = cli_format("%s/%s", to_folder, name);
    char *beside = cli_format("%s.%ld.tmp", to, (long)getpid());
    int in = open(from, O_RDONLY | O_CLOEXEC);
    bool absent = in < 0 && errno == ENOENT;
    int out = in < 0 ? -1 : open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    bool ok = absent || (out >= 0 && copy_bytes(in, out) && fsync(out) == 0);
    if (out >= 0)
        ok = close(out) == 0 && ok && rename(beside, to) == 0;
    if (!ok) {
        cli_fail("%s: cannot copy to %s: %s", from, to, strerror(errno));
        unlink(beside);
    }
    if (in >= 0)
        close(in);
    free(beside);
    free(to);
    free(from);
    return ok;
}

static bool copy_processor(const char *from, const char *to)
{
    static const char *const names[] = {"preprocessor_config.json", "tokenizer_config.json",
                                        "tokenizer.json",           "vocab.txt",
                                        "special_tokens_map.json",  "added_tokens.json"};
    bool ok = true;
    for (size_t i = 0; i < CLI_COUNT(names); i++)
        ok = copy_file(from, to, names[i]) && ok;
    return ok;
}

/* ---- converting ---- */

static int report_done(const arguments *args, const char *from, const char *to)
{
    if (args->common.json)
        cli_print_json(json_pack("{s:o, s:o}", "model", cli_json_text(from), "output", cli_json_text(to)));
    return CLI_DONE;
}

static int convert_file(const arguments *args, const char *from, const char *to)
{
    align_error err = ALIGN_ERROR_INIT;
    align_tensors *tensors = NULL;
    if (!cli_check_output(to))
        return CLI_FAILED;
    align_status status = align_tensors_open(&tensors, from, &err);
    if (status == ALIGN_OK)
        status = align_tensors_save(tensors, to, &err);
    align_tensors_free(tensors);
    return status == ALIGN_OK ? report_done(args, from, to) : cli_fail("%s", err.message);
}

static bool is_same_folder(const char *a, const char *b)
{
    char *real_a = realpath(a, NULL), *real_b = realpath(b, NULL);
    bool same = real_a && real_b && strcmp(real_a, real_b) == 0;
    free(real_a);
    free(real_b);
    return same;
}

static int save_model(const arguments *args, const align_model *model, const char *folder)
{
    align_error err = ALIGN_ERROR_INIT;
    const align_load_report *report = align_model_report(model);
    if (report->n_missing > 0)
        return cli_fail("%s: %zu tensors are missing, the first is %s: nothing was written", folder, report->n_missing,
                        report->missing[0]);
    if (report->n_unexpected > 0)
        cli_warn(args->common.quiet, "%s: %zu tensors are not of this model and are left out, the first is %s", folder,
                 report->n_unexpected, report->unexpected[0]);
    align_status status = args->pack ? align_model_save_packed(model, args->output, &err)
                                     : align_model_save_pretrained(model, args->output, &args->save, &err);
    if (status != ALIGN_OK)
        return cli_fail("%s", err.message);
    return copy_processor(folder, args->output) ? report_done(args, folder, args->output) : CLI_FAILED;
}

static int convert_folder(arguments *args, const char *folder)
{
    if (is_same_folder(folder, args->output))
        return cli_fail("%s: --output must be another folder than the model's", args->output);
    align_error err = ALIGN_ERROR_INIT;
    args->load.tower = cli_model_tower(folder);
    args->load.variant = args->from_variant;
    args->load.state_only = !args->pack;
    align_model *model = NULL;
    if (align_model_from_pretrained(&model, folder, &args->load, &err) != ALIGN_OK)
        return cli_fail("%s", err.message);
    int code = save_model(args, model, folder);
    align_model_free(model);
    return code;
}

static int run(const cli_command *self, int argc, char **argv)
{
    arguments args = {.save = ALIGN_SAVE_OPTIONS_INIT, .load = ALIGN_LOAD_OPTIONS_INIT};
    int code = parse(self, &args, argc, argv);
    if (code == CLI_PROCEED && !args.output) {
        code = convert_file(&args, args.paths.items[0], args.paths.items[1]);
    } else if (code == CLI_PROCEED) {
        char *folder = cli_model_folder(&args.common);
        code = folder ? convert_folder(&args, folder) : CLI_FAILED;
        free(folder);
    }
    cli_list_done(&args.paths);
    return code;
}

const cli_command cli_convert = {
    .name = "convert",
    .arguments = "[FROM TO | --model DIR --output DIR] [options]",
    .summary = "write a model in another form",
    .description = "Writes the model folder FROM anew to TO, with its config and processor files, in the element type "
                   "and form asked for, or packed for CPUs like this one. FROM may also be a single .bin or "
                   ".safetensors file: TO is a .safetensors "
                   "file then.",
    .examples = "  align convert model model-f16 --dtype f16\n"
                "  align convert model model-bin --format bin --max-shard-size 200MB\n"
                "  align convert model model-int8 --precision int8\n"
                "  align convert pytorch_model.bin model.safetensors\n",
    .run = run,
};
