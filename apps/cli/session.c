/*
 * session.c: the model in use, from its folder to embeddings: what classify, similarity and embed do alike. Texts are
 * cut at what the model can take, with a warning: the reference's processor would leave them long and the model refuse.
 */
#include "cli.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_LENGTH 64 /* tokens: AlignProcessor's max_length */
#define TEXT_BATCH  16

/* ---- which model ---- */

static bool is_model_folder(const char *folder)
{
    char *config = cli_format("%s/config.json", folder);
    bool found = access(config, R_OK) == 0;
    free(config);
    return found;
}

/* The folder of the running program, to be freed. */
static char *program_folder(void)
{
    char path[4096];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length < 0)
        return cli_format(".");
    path[length] = '\0';
    char *slash = strrchr(path, '/');
    if (slash)
        *slash = '\0';
    return cli_format("%s", path);
}

/* A copy of the name if there is such a thing. */
static char *named_model(const char *name)
{
    if (access(name, F_OK) == 0)
        return cli_format("%s", name);
    cli_fail("%s: there is no such model folder (names of the hub are not in this version)", name);
    return NULL;
}

static char *shipped_model(void)
{
    char *program = program_folder();
    char *places[] = {
        cli_format("%s", ALIGN_SOURCE_MODELS "/emoji"),
        cli_format("%s", ALIGN_INSTALL_MODELS "/emoji"),
        cli_format("%s/../share/align/models/emoji", program),
        cli_format("%s/../models/emoji", program),
    };
    char *found = NULL;
    for (size_t i = 0; i < CLI_COUNT(places); i++) {
        if (!found && is_model_folder(places[i]))
            found = places[i];
        else
            free(places[i]);
    }
    free(program);
    if (!found)
        cli_fail("the model that ships was not found: name a model folder with --model or ALIGN_MODEL");
    return found;
}

char *cli_model_folder(const cli_common *common)
{
    const char *name = common->model ? common->model : getenv("ALIGN_MODEL");
    return name && *name ? named_model(name) : shipped_model();
}

align_tower cli_model_tower(const char *folder)
{
    char *path = cli_format("%s/config.json", folder);
    json_t *config = json_load_file(path, 0, NULL);
    const char *type = json_string_value(json_object_get(config, "model_type"));
    align_tower tower = ALIGN_TOWER_BOTH;
    if (type && strcmp(type, "align_text_model") == 0)
        tower = ALIGN_TOWER_TEXT;
    else if (type && strcmp(type, "align_vision_model") == 0)
        tower = ALIGN_TOWER_VISION;
    json_decref(config);
    free(path);
    return tower;
}

/* ---- opening ---- */

static void warn_of_report(const cli_common *common, const char *folder, const align_model *model)
{
    const align_load_report *report = align_model_report(model);
    if (report->n_missing > 0)
        cli_warn(common->quiet, "%s: %zu tensors are missing and have random values, the first is %s", folder,
                 report->n_missing, report->missing[0]);
    if (report->n_unexpected > 0)
        cli_warn(common->quiet, "%s: %zu tensors are not of this model and are ignored, the first is %s", folder,
                 report->n_unexpected, report->unexpected[0]);
}

/* What comes before any loading; calling it twice is fine. */
static bool begin(cli_session *session, const cli_common *common)
{
    if (!session->folder)
        session->folder = cli_model_folder(common);
    return session->folder != NULL;
}

bool cli_session_open_model(cli_session *session, const cli_common *common, const align_load_options *load)
{
    align_error err = ALIGN_ERROR_INIT;
    align_context_options run = ALIGN_CONTEXT_OPTIONS_INIT;
    align_load_options chosen = ALIGN_LOAD_OPTIONS_INIT;
    run.threads = (int)common->threads;
    if (load)
        chosen = *load;
    if (!begin(session, common))
        return false;
    if ((common->precision && align_precision_from_name(&chosen.precision, common->precision, &err) != ALIGN_OK) ||
        align_model_from_pretrained(&session->model, session->folder, &chosen, &err) != ALIGN_OK ||
        align_context_new(&session->context, session->model, &run, &err) != ALIGN_OK) {
        cli_fail("%s", err.message);
        return false;
    }
    session->width = align_model_config(session->model)->projection_dim;
    warn_of_report(common, session->folder, session->model);
    return true;
}

bool cli_session_open_processor(cli_session *session, const cli_common *common, bool texts, bool pictures)
{
    align_error err = ALIGN_ERROR_INIT;
    if (!begin(session, common))
        return false;
    if (align_processor_from_pretrained(&session->processor, session->folder, &err) != ALIGN_OK) {
        cli_fail("%s", err.message);
        return false;
    }
    if (texts && !align_processor_tokenizer(session->processor)) {
        cli_fail("%s: no tokenizer in this folder (tokenizer.json or vocab.txt)", session->folder);
        return false;
    }
    if (pictures && !align_processor_image_processor(session->processor)) {
        cli_fail("%s: no preprocessor_config.json in this folder", session->folder);
        return false;
    }
    return true;
}

bool cli_session_open(cli_session *session, const cli_common *common, bool texts, bool pictures)
{
    return cli_session_open_processor(session, common, texts, pictures) &&
           cli_session_open_model(session, common, NULL);
}

void cli_session_done(cli_session *session)
{
    align_context_free(session->context);
    align_model_free(session->model);
    align_processor_free(session->processor);
    free(session->folder);
    *session = (cli_session){0};
}

/* ---- texts ---- */

/* Each text once, in order of first appearance; number[i] is where text i went. */
static void find_distinct(const char *const *texts, size_t count, cli_list *distinct, size_t *number)
{
    json_t *seen = json_object(); /* jansson's objects are hash tables */
    for (size_t i = 0; i < count; i++) {
        json_t *known = json_object_get(seen, texts[i]);
        number[i] = known ? (size_t)json_integer_value(known) : distinct->count;
        if (!known) {
            json_object_set_new(seen, texts[i], json_integer((json_int_t)distinct->count));
            cli_list_add(distinct, texts[i]);
        }
    }
    json_decref(seen);
}

static void warn_of_cut_texts(const cli_common *common, const char *const *texts, const align_encoding *encoding,
                              int64_t limit)
{
    for (size_t r = 0; r < encoding->rows; r++) {
        int64_t length = 0;
        for (size_t i = encoding->offsets[r]; i < encoding->offsets[r + 1]; i++)
            length += encoding->attention_mask[i];
        if (length > limit)
            cli_warn(common->quiet, "a text of %lld tokens is cut at %lld: %.60s", (long long)length, (long long)limit,
                     texts[r]);
    }
}

/* Token ids of a batch, as long as its longest text and at most as long as the model takes. */
static bool encode_texts(const cli_session *session, const cli_common *common, const char *const *texts, size_t count,
                         align_encoding *encoding)
{
    const align_text_config *config = &align_model_config(session->model)->text_config;
    const align_tokenizer *tokenizer = align_processor_tokenizer(session->processor);
    int64_t limit = config->max_position_embeddings < TEXT_LENGTH ? config->max_position_embeddings : TEXT_LENGTH;
    align_encode_options options = ALIGN_ENCODE_OPTIONS_INIT;
    options.padding = ALIGN_PAD_LONGEST; /* padding has no weight in the result, only in the time */
    options.pad_to_multiple_of = config->chunk_size_feed_forward;
    options.max_length = limit;
    align_error err = ALIGN_ERROR_INIT;
    align_status status = align_tokenizer_encode(tokenizer, texts, NULL, count, &options, encoding, &err);
    if (status == ALIGN_OK && encoding->length > limit) {
        warn_of_cut_texts(common, texts, encoding, limit);
        align_encoding_done(encoding);
        options.truncation = ALIGN_TRUNCATE_LONGEST_FIRST;
        status = align_tokenizer_encode(tokenizer, texts, NULL, count, &options, encoding, &err);
    }
    if (status != ALIGN_OK)
        cli_fail("%s", err.message);
    return status == ALIGN_OK;
}

static bool embed_batch(cli_session *session, const cli_common *common, const char *const *texts, size_t count,
                        float *out)
{
    align_encoding encoding = {0};
    align_error err = ALIGN_ERROR_INIT;
    align_tensor features;
    bool ok = encode_texts(session, common, texts, count, &encoding);
    if (ok) {
        int64_t shape[] = {(int64_t)encoding.rows, encoding.length};
        align_inputs inputs = ALIGN_INPUTS_INIT;
        inputs.input_ids = align_tensor_view(ALIGN_I64, 2, shape, encoding.input_ids);
        inputs.token_type_ids = align_tensor_view(ALIGN_I64, 2, shape, encoding.token_type_ids);
        inputs.attention_mask = align_tensor_view(ALIGN_I64, 2, shape, encoding.attention_mask);
        ok = align_model_get_text_features(session->context, &inputs, &features, &err) == ALIGN_OK;
        if (!ok)
            cli_fail("%s", err.message);
    }
    if (ok) {
        memcpy(out, features.data, count * (size_t)session->width * sizeof *out);
        align_normalize(out, count, (size_t)session->width);
    }
    align_encoding_done(&encoding);
    return ok;
}

float *cli_embed_texts(cli_session *session, const cli_common *common, const char *const *texts, size_t count)
{
    size_t width = (size_t)session->width;
    cli_list distinct = {0};
    size_t *number = cli_alloc(count, sizeof *number);
    find_distinct(texts, count, &distinct, number);
    float *once = cli_alloc(distinct.count, width * sizeof *once);
    float *all = NULL;
    bool ok = true;
    cli_progress progress;
    cli_progress_start(&progress, common->quiet, false, "texts", (distinct.count + TEXT_BATCH - 1) / TEXT_BATCH);
    for (size_t i = 0; i < distinct.count && ok; i += TEXT_BATCH) {
        size_t n = distinct.count - i < TEXT_BATCH ? distinct.count - i : TEXT_BATCH;
        ok = embed_batch(session, common, distinct.items + i, n, once + i * width);
        cli_progress_step(&progress);
    }
    cli_progress_end(&progress);
    if (ok) {
        all = cli_alloc(count, width * sizeof *all);
        for (size_t i = 0; i < count; i++)
            memcpy(all + i * width, once + number[i] * width, width * sizeof *all);
    }
    free(once);
    free(number);
    cli_list_done(&distinct);
    return all;
}

/* ---- pictures ---- */

bool cli_embed_next(cli_session *session, cli_reader *reader, float *out)
{
    align_tensor features;
    align_inputs inputs = ALIGN_INPUTS_INIT;
    align_error err = ALIGN_ERROR_INIT;
    if (cli_reader_next(reader, &inputs.pixel_values, &err) != ALIGN_OK ||
        align_model_get_image_features(session->context, &inputs, &features, &err) != ALIGN_OK) {
        cli_fail("%s", err.message);
        return false;
    }
    memcpy(out, features.data, (size_t)session->width * sizeof *out);
    align_normalize(out, 1, (size_t)session->width);
    return true;
}

float cli_dot(const float *a, const float *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return (float)sum;
}
