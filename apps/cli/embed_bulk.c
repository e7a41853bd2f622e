/*
 * embed_bulk.c: shards of pictures to files of vectors, by any number of processes. Each looks for a shard that is not
 * done and that nobody has, claims it (claims.c), makes its files, and looks for the next. In the end it waits for
 * those that others still have, and takes over what one leaves that dies.
 */
#include "embed.h"
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef struct bulk {
    cli_session session;
    const embed_options *options;
    embed_manifest manifest;
    embed_shard *shards;
    size_t count, at; /* at: where the next one is looked for */
    bool is_first;    /* of all ranks: it says what all of them find */
    cli_progress progress;
    size_t done, found, damaged, failed; /* shards: made, there before */
    size_t pictures, unreadable;         /* of those made */
} bulk;

/* ---- the list ---- */

static const char suffix[] = ".tar";

static void add_shard(bulk *b, const char *path)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    b->shards = cli_realloc(b->shards, b->count + 1, sizeof *b->shards);
    b->shards[b->count++] = (embed_shard){
        .path = cli_format("%s", path),
        .name = cli_format("%.*s", (int)(strlen(base) - strlen(suffix)), base),
    };
}

/* The tar files in a folder. */
static bool add_folder(bulk *b, const char *folder)
{
    cli_strings names = {0};
    DIR *dir = opendir(folder);
    if (!dir)
        return cli_fail("%s: cannot open folder: %s", folder, strerror(errno)) == CLI_DONE;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        if (entry->d_name[0] != '.' && cli_has_suffix(entry->d_name, suffix))
            cli_strings_add(&names, cli_join_path(folder, entry->d_name));
    closedir(dir);
    cli_strings_sort(&names);
    for (size_t i = 0; i < names.count; i++)
        add_shard(b, names.items[i]);
    const bool ok = names.count > 0 || cli_fail("%s: no tar files in this folder", folder) == CLI_DONE;
    cli_strings_done(&names);
    return ok;
}

static int compare_shards(const void *a, const void *b)
{
    const embed_shard *left = a, *right = b;
    const int order = strcmp(left->name, right->name);
    return order ? order : strcmp(left->path, right->path);
}

/* Two shards of one name would get one file; one that is named twice is taken once. */
static bool check_names(bulk *b)
{
    size_t kept = 0;
    qsort(b->shards, b->count, sizeof *b->shards, compare_shards);
    for (size_t i = 0; i < b->count; i++) {
        const embed_shard *shard = &b->shards[i], *before = kept ? &b->shards[kept - 1] : NULL;
        const bool alike = before && strcmp(before->name, shard->name) == 0;
        if (strcmp(shard->name, "manifest") == 0)
            return cli_fail("%s: a shard cannot be called that: manifest.json is another file of the output",
                            shard->path) == CLI_DONE;
        if (alike && strcmp(before->path, shard->path) != 0)
            return cli_fail("%s and %s would both become %s.npy: embed them into folders of their own", before->path,
                            shard->path, shard->name) == CLI_DONE;
        if (alike) {
            free(shard->path);
            free(shard->name);
        } else {
            b->shards[kept++] = *shard;
        }
    }
    b->count = kept;
    return true;
}

static int list_shards(bulk *b, const cli_command *self, const cli_list *places)
{
    for (size_t i = 0; i < places->count; i++) {
        const char *place = places->items[i];
        struct stat info;
        if (cli_has_suffix(place, suffix)) {
            add_shard(b, place); /* nobody looks at it before its turn: shards are many, and so are processes */
        } else if (stat(place, &info) == 0 && S_ISDIR(info.st_mode)) {
            if (!add_folder(b, place))
                return CLI_FAILED;
        } else {
            return cli_usage_error(self, "--images takes tar files and folders of them, not '%s': see --image", place);
        }
    }
    return check_names(b) ? CLI_PROCEED : CLI_FAILED;
}

/* ---- whose turn it is ---- */

typedef enum looking {
    LOOK_FREE, /* for a shard that seems to be nobody's */
    LOOK_ALL,  /* also where somebody has left a lock, perhaps with his death */
    LOOK_WAIT  /* wait for whoever has it */
} looking;

static void settle(bulk *b, embed_shard *shard, embed_state state)
{
    shard->state = state;
    if (state == EMBED_DONE || state == EMBED_FAILED)
        cli_progress_step(&b->progress);
}

static void fail_shard(bulk *b, embed_shard *shard)
{
    b->failed++;
    settle(b, shard, EMBED_FAILED);
}

/* What the shard is now; false after a message: it is not there. */
static bool look_at(bulk *b, embed_shard *shard)
{
    struct stat info;
    if (stat(shard->path, &info) != 0) {
        cli_fail("%s: cannot read: %s", shard->path, strerror(errno));
        fail_shard(b, shard);
        return false;
    }
    shard->size = info.st_size;
    shard->modified = cli_time_modified(&info);
    return true;
}

/* Whether a shard that has vectors is settled by that. */
static bool is_settled(bulk *b, embed_shard *shard)
{
    bool damaged;
    if (!look_at(b, shard))
        return true;
    const embed_finding finding = embed_manifest_find(&b->manifest, shard, &damaged);
    if (finding == EMBED_FOREIGN) {
        fail_shard(b, shard);
    } else if (finding == EMBED_THERE) {
        b->found++;
        b->damaged += damaged;
        if (damaged && b->is_first)
            cli_warn(b->options->common.quiet, "%s: damaged, and embedded as far as it is whole: see %s", shard->path,
                     b->manifest.path);
        settle(b, shard, EMBED_DONE);
    }
    return finding != EMBED_MISSING;
}

static bool has_vectors(const bulk *b, const embed_shard *shard)
{
    struct stat info;
    char *path = embed_path(b->options, shard->name, ".npy");
    const bool there = stat(path, &info) == 0;
    free(path);
    return there;
}

/* Claims a shard, unless it is settled by then. False: it is not this process's. */
static bool claim_shard(bulk *b, embed_shard *shard, cli_claim *claim, looking how)
{
    char *path = embed_path(b->options, shard->name, ".lock");
    const cli_claim_result result = cli_claim_take(claim, path, how == LOOK_WAIT);
    free(path);
    if (result == CLI_CLAIM_FAILED)
        fail_shard(b, shard);
    if (result != CLI_CLAIM_TAKEN)
        return false;
    const bool late = has_vectors(b, shard);
    const bool mine = late ? !is_settled(b, shard) : look_at(b, shard);
    if (!mine)
        cli_claim_release(claim);
    if (late && !mine)
        embed_manifest_list(&b->manifest); /* others have done more than was known */
    return mine;
}

/* Whether the shard was done before; then a lock that is left there is of no use. */
static bool was_done(bulk *b, embed_shard *shard)
{
    if (!embed_manifest_has(&b->manifest, shard->name, ".npy") || !is_settled(b, shard))
        return false;
    if (shard->state == EMBED_DONE && embed_manifest_has(&b->manifest, shard->name, ".lock")) {
        cli_claim claim;
        char *path = embed_path(b->options, shard->name, ".lock");
        if (cli_claim_take(&claim, path, false) == CLI_CLAIM_TAKEN)
            cli_claim_release(&claim);
        free(path);
    }
    return true;
}

/* The next shard that this process may have; NULL: there is none. */
static embed_shard *look_for_shard(bulk *b, cli_claim *claim, looking how)
{
    for (size_t i = 0; i < b->count && !cli_interrupted(); i++) {
        embed_shard *shard = &b->shards[(b->at + i) % b->count];
        if (shard->state != EMBED_OPEN || was_done(b, shard))
            continue;
        if (how == LOOK_FREE && embed_manifest_has(&b->manifest, shard->name, ".lock"))
            continue;
        if (claim_shard(b, shard, claim, how)) {
            b->at = (b->at + i + 1) % b->count;
            settle(b, shard, EMBED_HELD);
            return shard;
        }
    }
    return NULL;
}

/* ---- a shard ---- */

static void free_work(embed_work *work)
{
    align_dataset_free(work->tar);
    cli_claim_release(&work->claim);
    json_decref(work->unreadable);
    free(work->result.pictures);
    free(work->result.vectors);
    free(work->failure);
    free(work);
}

static embed_work *open_work(bulk *b, embed_shard *shard, cli_claim claim)
{
    align_error err = ALIGN_ERROR_INIT;
    embed_work *work = cli_alloc(1, sizeof *work);
    work->shard = shard;
    work->claim = claim;
    work->unreadable = json_array();
    if (cli_tar_open(&work->tar, shard->path, &err) != ALIGN_OK) {
        work->failure = cli_format("%s", err.message);
        return work;
    }
    work->count = align_dataset_count(work->tar);
    work->result = (embed_result){
        .tar = work->tar,
        .width = (size_t)b->session.width,
        .pictures = cli_alloc(work->count, sizeof *work->result.pictures),
        .vectors = cli_alloc(work->count, (size_t)b->session.width * sizeof(float)),
    };
    return work;
}

static embed_work *next_work(void *context)
{
    bulk *b = context;
    cli_claim claim = {0};
    embed_shard *shard = look_for_shard(b, &claim, LOOK_FREE);
    if (!shard)
        shard = look_for_shard(b, &claim, LOOK_ALL);
    return shard ? open_work(b, shard, claim) : NULL;
}

static bool save_work(bulk *b, embed_work *work)
{
    embed_shard *shard = work->shard;
    const char *damage = align_dataset_damage(work->tar, 0);
    json_t *record = embed_manifest_new_record(&b->manifest, shard);
    json_object_set_new(record, "failures", json_integer((json_int_t)work->n_unreadable));
    json_object_set(record, "unreadable", work->unreadable);
    if (damage)
        json_object_set_new(record, "damage", cli_json_text(damage));
    const bool ok = embed_write_shard(b->options, shard->name, &work->result, record);
    if (ok) {
        embed_manifest_add(&b->manifest, shard->name, record);
        b->done++;
        b->pictures += work->result.rows;
        b->unreadable += work->n_unreadable;
        b->damaged += damage != NULL;
        settle(b, shard, EMBED_DONE);
    }
    if (ok && damage)
        cli_fail("%s; %zu picture%s before that", damage, work->count, work->count == 1 ? "" : "s");
    json_decref(record);
    return ok;
}

static bool finish_work(void *context, embed_work *work)
{
    bulk *b = context;
    bool ok = true;
    if (work->abandoned) {
        settle(b, work->shard, EMBED_OPEN);
    } else if (work->failure) {
        cli_fail("%s", work->failure);
        fail_shard(b, work->shard);
    } else {
        ok = save_work(b, work);
    }
    free_work(work);
    return ok;
}

/* ---- the whole ---- */

static bool run_pipeline(bulk *b)
{
    return embed_pipeline(&b->session, b->options, next_work, finish_work, b);
}

/* Waits for the shards of others, one after the other; true with one that was left undone. */
static bool wait_for_others(bulk *b)
{
    cli_claim claim = {0};
    embed_shard *left = look_for_shard(b, &claim, LOOK_WAIT);
    if (left)
        settle(b, left, EMBED_OPEN); /* it is claimed again, as any other */
    cli_claim_release(&claim);
    return left != NULL;
}

static void print_summary(const bulk *b)
{
    if (b->options->common.json) {
        cli_print_json(json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "event", "embedded", "shards",
                                 (json_int_t)b->done, "unchanged", (json_int_t)b->found, "damaged",
                                 (json_int_t)b->damaged, "failed", (json_int_t)b->failed, "pictures",
                                 (json_int_t)b->pictures, "unreadable", (json_int_t)b->unreadable));
        return;
    }
    printf("%zu shard%s of %zu picture%s", b->done, b->done == 1 ? "" : "s", b->pictures, b->pictures == 1 ? "" : "s");
    if (b->unreadable)
        printf(", %zu unreadable", b->unreadable);
    printf("; %zu there before", b->found);
    if (b->damaged)
        printf(", %zu damaged", b->damaged);
    if (b->failed)
        printf(", %zu failed", b->failed);
    printf("; manifest: %s\n", b->manifest.path);
}

static int run(bulk *b)
{
    if (!cli_session_open(&b->session, &b->options->common, false, true) ||
        !embed_manifest_open(&b->manifest, b->options, &b->session))
        return CLI_FAILED;
    size_t rank, ranks;
    cli_rank_find(&rank, &ranks);
    b->is_first = rank == 0;
    b->at = cli_first_piece(b->count);
    cli_progress_start(&b->progress, b->options->common.quiet, b->options->common.json, "shards", b->count);
    bool ok;
    do
        ok = run_pipeline(b);
    while (ok && !cli_interrupted() && wait_for_others(b));
    cli_progress_end(&b->progress);
    ok = embed_manifest_merge(&b->manifest) && ok;
    print_summary(b);
    if (ok && cli_interrupted())
        return cli_fail("interrupted: the shards that were done are kept, and the same command goes on from there");
    return ok && b->damaged == 0 && b->failed == 0 ? CLI_DONE : CLI_FAILED;
}

int embed_bulk(const cli_command *self, const embed_options *options, const cli_list *places)
{
    bulk b = {.options = options};
    int code = list_shards(&b, self, places);
    if (code == CLI_PROCEED) {
        cli_catch_signals();
        code = run(&b);
    }
    for (size_t i = 0; i < b.count; i++) {
        free(b.shards[i].path);
        free(b.shards[i].name);
    }
    free(b.shards);
    embed_manifest_done(&b.manifest);
    cli_session_done(&b.session);
    return code;
}
