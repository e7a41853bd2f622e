/*
 * embed_manifest.c: what a folder of vectors knows about itself. manifest.json says how all of them were made and lists
 * the shards that are done; what is true of a shard is in its record, NAME.json, which is written with its files, and
 * from which the manifest is put together by whoever is done.
 *
 * So nobody waits for a lock while there is work, and a process that dies leaves at most a manifest that lacks shards,
 * which the next one adds. It is replaced as a whole, so that it can be read without the lock that writers have.
 */
#include "embed.h"
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FORMAT 1

char *embed_path(const embed_options *options, const char *name, const char *ending)
{
    char *file = cli_format("%s%s", name, ending);
    char *path = cli_join_path(options->output, file);
    free(file);
    return path;
}

/* ---- the folder ---- */

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

bool embed_manifest_list(embed_manifest *m)
{
    DIR *dir = opendir(m->options->output);
    cli_strings_done(&m->names);
    if (!dir)
        return cli_fail("%s: cannot open folder: %s", m->options->output, strerror(errno)) == CLI_DONE;
    errno = 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL; errno = 0)
        if (entry->d_name[0] != '.')
            cli_strings_add(&m->names, cli_format("%s", entry->d_name));
    const bool ok = errno == 0;
    if (!ok)
        cli_fail("%s: cannot read folder: %s", m->options->output, strerror(errno));
    closedir(dir);
    cli_strings_sort(&m->names);
    return ok;
}

bool embed_manifest_has(const embed_manifest *m, const char *name, const char *ending)
{
    char *file = cli_format("%s%s", name, ending);
    const bool found =
        m->names.count > 0 && bsearch(&file, m->names.items, m->names.count, sizeof *m->names.items, compare_names);
    free(file);
    return found;
}

/* The name of the shard whose vectors the file has, to be freed; NULL: it has none. */
static char *shard_of(const char *file)
{
    static const char ending[] = ".npy";
    return cli_has_suffix(file, ending) ? cli_format("%.*s", (int)(strlen(file) - strlen(ending)), file) : NULL;
}

/* ---- reading ---- */

/* A JSON object in a file, NULL where there is no such file; false after a message. */
static bool read_object(json_t **out, const char *path)
{
    json_error_t error;
    FILE *file = fopen(path, "rb");
    *out = NULL;
    if (!file)
        return errno == ENOENT || cli_fail("%s: cannot read: %s", path, strerror(errno)) == CLI_DONE;
    *out = json_loadf(file, JSON_REJECT_DUPLICATES, &error);
    fclose(file);
    if (json_is_object(*out))
        return true;
    json_decref(*out);
    *out = NULL;
    return cli_fail("%s: damaged: no JSON object: %s (line %d)", path, error.text, error.line) == CLI_DONE;
}

static json_t *make_settings(const embed_options *options, const cli_session *session)
{
    char model[ALIGN_FINGERPRINT_SIZE];
    align_model_fingerprint(session->model, model);
    return json_pack("{s:i, s:s, s:I, s:s, s:s, s:s, s:b}", "format", FORMAT, "model", model, "width",
                     (json_int_t)session->width, "dtype", options->dtype == ALIGN_F16 ? "f16" : "f32", "precision",
                     options->common.precision ? options->common.precision : "f32", "orientation",
                     options->decoding.orientation, "fast_decode", options->decoding.fast);
}

/* Whether the vectors there were made like those to come: key by key, for a message that names it. */
static bool check_settings(const embed_manifest *m, const json_t *found)
{
    const char *key;
    json_t *expected;
    json_object_foreach(m->settings, key, expected)
    {
        const json_t *value = json_object_get(found, key);
        if (json_equal(value, expected))
            continue;
        char *theirs = value ? json_dumps(value, JSON_ENCODE_ANY) : NULL, *ours = json_dumps(expected, JSON_ENCODE_ANY);
        cli_fail("%s: the vectors there are of %s %s, not of %s: name another folder with --output", m->path, key,
                 theirs ? theirs : "unknown", ours);
        free(theirs);
        free(ours);
        return false;
    }
    return true;
}

/* Reads the manifest, if there is one. */
static bool read_manifest(embed_manifest *m, bool *found)
{
    json_t *all;
    if (!read_object(&all, m->path))
        return false;
    *found = all != NULL;
    if (!all)
        return true;
    json_t *shards = json_object_get(all, "shards");
    bool ok = check_settings(m, all);
    if (ok && !json_is_object(shards))
        ok = cli_fail("%s: damaged: \"shards\" is no object (without the file it is made again)", m->path) == CLI_DONE;
    if (ok) {
        json_decref(m->shards);
        m->shards = json_incref(shards);
    }
    json_decref(all);
    return ok;
}

/* ---- writing ---- */

static json_int_t number_in(const json_t *record, const char *key)
{
    return json_integer_value(json_object_get(record, key));
}

/* Sorted by name, so that the same work gives the same file. */
static json_t *sorted_shards(const json_t *shards, json_int_t *rows, json_int_t *failures)
{
    cli_strings names = {0};
    const char *name;
    json_t *record, *sorted = json_object();
    json_object_foreach((json_t *)(uintptr_t)shards, name, record) cli_strings_add(&names, cli_format("%s", name));
    cli_strings_sort(&names);
    *rows = *failures = 0;
    for (size_t i = 0; i < names.count; i++) {
        record = json_object_get(shards, names.items[i]);
        *rows += number_in(record, "rows");
        *failures += number_in(record, "failures");
        json_object_set(sorted, names.items[i], record);
    }
    cli_strings_done(&names);
    return sorted;
}

static bool write_manifest(embed_manifest *m)
{
    cli_aside aside;
    json_int_t rows, failures;
    json_t *all = json_copy(m->settings), *shards = sorted_shards(m->shards, &rows, &failures);
    json_object_set_new(all, "rows", json_integer(rows));
    json_object_set_new(all, "failures", json_integer(failures));
    json_object_set_new(all, "shards", shards);
    FILE *out = cli_aside_open(&aside, m->path);
    if (out) {
        json_dumpf(all, out, JSON_INDENT(1));
        fputc('\n', out);
    }
    json_decref(all);
    return cli_aside_close(&aside, NULL);
}

static bool lock_manifest(const embed_manifest *m, cli_claim *claim)
{
    char *path = embed_path(m->options, "manifest", ".lock");
    const cli_claim_result result = cli_claim_take(claim, path, true);
    free(path);
    return result == CLI_CLAIM_TAKEN;
}

/* ---- opening ---- */

/* Vectors of which nothing is known may be of anything. */
static bool check_files(const embed_manifest *m)
{
    for (size_t i = 0; i < m->names.count; i++) {
        char *name = shard_of(m->names.items[i]);
        const bool ok = !name || embed_manifest_has(m, name, ".json");
        free(name);
        if (!ok)
            return cli_fail("%s: holds %s, of which nothing says what it is of: name another folder with --output",
                            m->options->output, m->names.items[i]) == CLI_DONE;
    }
    return true;
}

/* Makes the manifest, unless another process has by now. */
static bool make_manifest(embed_manifest *m)
{
    cli_claim claim = {0};
    bool found = false;
    bool ok = lock_manifest(m, &claim) && read_manifest(m, &found);
    if (ok && !found)
        ok = embed_manifest_list(m) && check_files(m) && write_manifest(m);
    cli_claim_release(&claim);
    return ok;
}

bool embed_manifest_open(embed_manifest *m, const embed_options *options, const cli_session *session)
{
    bool found = false;
    *m = (embed_manifest){.options = options, .shards = json_object(), .news = json_object()};
    m->path = embed_path(options, "manifest", ".json");
    m->settings = make_settings(options, session);
    return cli_make_folder(options->output) && read_manifest(m, &found) && (found || make_manifest(m)) &&
           embed_manifest_list(m);
}

void embed_manifest_done(embed_manifest *m)
{
    free(m->path);
    json_decref(m->settings);
    json_decref(m->shards);
    json_decref(m->news);
    cli_strings_done(&m->names);
    *m = (embed_manifest){0};
}

/* ---- shards ---- */

static bool read_record(const embed_manifest *m, const char *name, json_t **record)
{
    char *path = embed_path(m->options, name, ".json");
    const bool ok = read_object(record, path);
    free(path);
    return ok;
}

/* Whether the record is of the shard as it is: wherever that is now. */
static bool is_of(const json_t *record, const embed_shard *shard)
{
    return record && number_in(record, "size") == shard->size && number_in(record, "modified") == shard->modified;
}

static bool is_made_alike(const embed_manifest *m, const json_t *record)
{
    return json_equal(json_object_get(record, "made"), m->settings);
}

static embed_finding judge_record(embed_manifest *m, const embed_shard *shard, json_t *record)
{
    const char *source = json_string_value(json_object_get(record, "source"));
    if (!is_made_alike(m, record)) {
        cli_fail("%s/%s.json: its vectors were not made like those of manifest.json", m->options->output, shard->name);
        return EMBED_FOREIGN;
    }
    if (is_of(record, shard)) {
        embed_manifest_add(m, shard->name, record);
        return EMBED_THERE;
    }
    char *path = cli_absolute_path(shard->path);
    const bool is_other = source && strcmp(source, path) != 0;
    if (is_other)
        cli_fail("%s/%s.npy: of %s, not of %s: name another folder with --output", m->options->output, shard->name,
                 source, path);
    free(path);
    return is_other ? EMBED_FOREIGN : EMBED_MISSING;
}

embed_finding embed_manifest_find(embed_manifest *m, const embed_shard *shard, bool *damaged)
{
    json_t *record = json_incref(json_object_get(m->shards, shard->name));
    embed_finding finding = is_of(record, shard) ? EMBED_THERE : EMBED_MISSING;
    if (finding == EMBED_MISSING) {
        json_decref(record);
        if (read_record(m, shard->name, &record) && record)
            finding = judge_record(m, shard, record);
    }
    if (finding == EMBED_THERE && m->options->parquet && !json_object_get(json_object_get(record, "bytes"), "parquet"))
        finding = EMBED_MISSING;
    *damaged = json_object_get(record, "damage") != NULL;
    json_decref(record);
    return finding;
}

json_t *embed_manifest_new_record(const embed_manifest *m, const embed_shard *shard)
{
    char *path = cli_absolute_path(shard->path);
    json_t *record = json_pack("{s:o, s:I, s:I, s:O}", "source", cli_json_text(path), "size", (json_int_t)shard->size,
                               "modified", (json_int_t)shard->modified, "made", m->settings);
    free(path);
    return record;
}

/* How it was made is said once for all, at the manifest's beginning. */
void embed_manifest_add(embed_manifest *m, const char *name, const json_t *record)
{
    json_t *copy = json_copy((json_t *)(uintptr_t)record);
    json_object_del(copy, "made");
    json_object_set_new(m->news, name, copy);
}

/* ---- putting it together ---- */

/* Whether the manifest that was read tells of all that this process knows to be done. */
static bool tells_all(const embed_manifest *m)
{
    const char *name;
    json_t *record;
    json_object_foreach(m->news, name, record) if (!json_equal(json_object_get(m->shards, name), record)) return false;
    return true;
}

/* Adds what others did who had no time to say so. */
static bool add_records(embed_manifest *m)
{
    bool ok = embed_manifest_list(m);
    for (size_t i = 0; i < m->names.count && ok; i++) {
        char *name = shard_of(m->names.items[i]);
        json_t *record = NULL;
        if (name && !json_object_get(m->shards, name) && !json_object_get(m->news, name))
            ok = read_record(m, name, &record);
        if (record && is_made_alike(m, record))
            embed_manifest_add(m, name, record);
        json_decref(record);
        free(name);
    }
    json_object_update(m->shards, m->news);
    return ok;
}

/* Of one who died while he wrote the manifest. */
static void remove_rest(const embed_manifest *m)
{
    char *rest = embed_path(m->options, "manifest", ".json.tmp");
    unlink(rest);
    free(rest);
}

/* Of many that end together, the first adds what all have done, and the others find it there. */
bool embed_manifest_merge(embed_manifest *m)
{
    cli_claim claim = {0};
    bool found;
    if (!read_manifest(m, &found))
        return false;
    if (found && tells_all(m) && !embed_manifest_has(m, "manifest", ".lock"))
        return true;
    bool ok = lock_manifest(m, &claim) && read_manifest(m, &found);
    if (ok && !(found && tells_all(m)))
        ok = add_records(m) && write_manifest(m);
    else if (ok)
        remove_rest(m);
    cli_claim_release(&claim);
    return ok;
}
