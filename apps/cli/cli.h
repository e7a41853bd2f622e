#ifndef ALIGN_CLI_H
#define ALIGN_CLI_H
/*
 * cli.h: what the subcommands of `align` share. A subcommand is one file that fills a cli_command; it sees the library
 * through <align/...> only, like any other program.
 *
 *   main.c      the list of commands, dispatch, `align help`
 *   options.c   options from a table: parsing, --help
 *   output.c    stdout and stderr: messages, JSON lines, aligned columns, progress
 *   inputs.c    what the user names: pictures, folders of pictures, labels, "-"
 *   session.c   the model in use, and embeddings from it
 *   reader.c    pictures decoded ahead of the model
 *   walk.c      pictures in folders
 *   ahead.c     work that several threads do ahead, taken in order
 *   batch.c     pictures in batches for the model
 *   interrupt.c signals that ask to end
 *   aside.c     files that are there when they are whole
 *   claims.c    work that several processes share
 *   layers.c    the table of a profile
 *   store.c     the index that is searched
 *
 * Files that need the library to know indices (store.c, duplicates.c, and what begins with index or search) are left
 * out of a build without them; no_search.c stands in for their commands.
 *
 * Data goes to stdout, everything else to stderr. A function that can fail has already said why when it returns false
 * or an exit code.
 */
#include <align/align.h>
#include <align/search.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>

/* The exit codes are a contract with scripts. */
enum { CLI_DONE = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

typedef struct cli_command {
    const char *name;
    const char *arguments;   /* the usage line behind the name */
    const char *summary;     /* one line for the list of commands; NULL: not in this build, and not listed */
    const char *description; /* for --help, before the options */
    const char *examples;    /* for --help, after the options: whole lines */
    int (*run)(const struct cli_command *self, int argc, char **argv); /* argv without the name; an exit code */
} cli_command;

extern const cli_command cli_classify, cli_similarity, cli_embed, cli_index, cli_search, cli_duplicates, cli_process,
    cli_decode, cli_forward, cli_inspect, cli_convert, cli_bench, cli_train, cli_serve;

/* ---- memory: a command that has none left says so and ends with CLI_FAILED ---- */

void *cli_alloc(size_t count, size_t size); /* zeroed */
void *cli_realloc(void *memory, size_t count, size_t size);
char *cli_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Puts more behind *text, an owned string, with the separator in between; NULL becomes more alone. */
void cli_append(char **text, const char *separator, const char *more);

/* "folder/name", to be freed. */
char *cli_join_path(const char *folder, const char *name);

/* Strings in order. Entries are borrowed or owned by somebody else. */
typedef struct cli_list {
    const char **items;
    size_t count, capacity;
} cli_list;

void cli_list_add(cli_list *list, const char *item);
void cli_list_done(cli_list *list);

/* Strings in order, owned. */
typedef struct cli_strings {
    char **items;
    size_t count, capacity;
} cli_strings;

void cli_strings_add(cli_strings *strings, char *item); /* takes item over */
void cli_strings_sort(cli_strings *strings);            /* as bytes */
void cli_strings_done(cli_strings *strings);

/* ---- options.c ---- */

typedef enum cli_kind {
    CLI_FLAG,   /* bool: --json */
    CLI_TEXT,   /* const char *: --model DIR */
    CLI_CHOICE, /* const char *: one of the words of `argument`, "text|vision" */
    CLI_MAYBE,  /* the same, or "" without a value: --show, --show=kitty */
    CLI_INT,    /* int64_t, at least `least`: --threads N */
    CLI_REAL,   /* double, at least `least`: --lr X */
    CLI_LIST,   /* cli_list: one value each time it is given */
    CLI_MANY    /* cli_list: one or more values each time, up to the next option */
} cli_kind;

typedef struct cli_option {
    cli_kind kind;
    const char *name;     /* without the dashes */
    const char *argument; /* of --help; NULL for flags */
    void *value;
    int64_t least;
    const char *help;
} cli_option;

/* Options that every command takes, so that a script can pass them to any; some have nothing to do in some commands. */
typedef struct cli_common {
    const char *model;     /* NULL: see cli_model_folder */
    const char *precision; /* NULL: the model's own */
    int64_t threads;       /* 0: one a core */
    bool json, quiet;
} cli_common;

/* Options of the commands that decode pictures; CLI_DECODING_INIT is the default. */
typedef struct cli_decoding {
    const char *orientation;
    bool fast;
} cli_decoding;

/* clang-format off */
#define CLI_DECODING_INIT { "apply", false }
#define CLI_OPTIONS_COMMON(common) \
    { CLI_TEXT, "model", "DIR", &(common).model, 0, \
      "folder of the model (default: $ALIGN_MODEL, else the model that ships)" }, \
    { CLI_FLAG, "json", NULL, &(common).json, 0, "print JSON, one object a line" }, \
    { CLI_INT, "threads", "N", &(common).threads, 1, "threads to use (default: one a core)" }, \
    { CLI_CHOICE, "precision", "f32|bf16|int8", &(common).precision, 0, \
      "what the matrix products are computed in (default: f32)" }, \
    { CLI_FLAG, "quiet", NULL, &(common).quiet, 0, "no warnings and no progress bar" }
#define CLI_OPTIONS_PICTURES(decoding) \
    { CLI_CHOICE, "orientation", "apply|ignore", &(decoding).orientation, 0, \
      "what to do with a picture's EXIF orientation (default: apply)" }, \
    { CLI_FLAG, "fast-decode", NULL, &(decoding).fast, 0, \
      "decode large JPEGs at a fraction of their size: faster, slightly other pixels" }
/* clang-format on */

#define CLI_COUNT(array) (sizeof(array) / sizeof *(array))

/* The parsed command line may be run; every other result of cli_parse is an exit code. */
#define CLI_PROCEED (-1)

/* Fills the options' values and the positional arguments. --help prints the help and gives CLI_DONE. */
int cli_parse(const cli_command *command, const cli_option *options, size_t n_options, int argc, char **argv,
              cli_list *positional);

/* Says what is wrong with the way a command was called; gives CLI_USAGE. command NULL: `align` itself. */
int cli_usage_error(const cli_command *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* "": whichever of the names resembles word most, or NULL when none does. */
const char *cli_nearest(const char *word, const char *const *names, size_t n);

/* ---- output.c ---- */

/* "align: message" on stderr; the first gives CLI_FAILED, the second is silent when quiet. */
int cli_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
void cli_warn(bool quiet, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Ends a command: what could not be written to stdout turns CLI_DONE into CLI_FAILED, with a message. */
int cli_finish(int code);

/* Prints one line of JSON and releases the value. */
void cli_print_json(json_t *value);
json_t *cli_json_text(const char *text); /* bytes that are not UTF-8 become U+FFFD */
json_t *cli_json_real(double value);     /* null where JSON has no such number */
json_t *cli_json_floats(const float *values, size_t n);
json_t *cli_json_tensors(const align_tensors *tensors); /* [{"name", "dtype", "shape"}...] */

/* Prints text with control characters as escapes, padded with spaces to the given number of terminal columns, and cut
 * with an ellipsis when longer than `most` (0: never). */
void cli_print_text(const char *text, size_t least, size_t most);

/* Terminal columns that cli_print_text fills. */
size_t cli_text_width(const char *text);

/* The next code point of valid UTF-8; invalid bytes give -1 and are passed one by one. *text must not be at its end. */
int32_t cli_utf8_next(const char **text);
bool cli_utf8_valid(const char *text);

/* A bar on stderr while it is a terminal that shows nothing else. */
typedef struct cli_progress {
    bool shown;
    const char *what;
    size_t total, done;
    double started; /* seconds */
} cli_progress;

void cli_progress_start(cli_progress *progress, bool quiet, bool stdout_busy, const char *what, size_t total);
void cli_progress_step(cli_progress *progress);
void cli_progress_end(cli_progress *progress);

/* ---- inputs.c ---- */

/*
 * The pictures that the arguments name, in order: files as they are, folders with all pictures inside them (by suffix,
 * sorted, hidden ones left out), "-" for standard input. False when an argument names nothing; *ok_so_far folders are
 * kept.
 */
bool cli_pictures_expand(cli_strings *pictures, const cli_list *arguments);

/* ---- walk.c ---- */

typedef struct cli_file {
    char *path;
    int64_t size, modified; /* nanoseconds since 1970 */
} cli_file;

/* What was found under some folders. Begins zeroed. */
typedef struct cli_walk {
    cli_file *files;
    size_t n_files, capacity;
    cli_strings folders;  /* that were entered */
    cli_strings links;    /* to folders, not looked at yet */
    cli_strings problems; /* what could not be read, as messages that name it */
    struct cli_place *places;
    size_t places_size;
} cli_walk;

/* Adds a file, or a folder's pictures, but for those behind links to folders. False: it is neither. */
bool cli_walk_add(cli_walk *walk, const char *path);
void cli_walk_links(cli_walk *walk); /* at last, adds those */
void cli_walk_done(cli_walk *walk);

/* Whether the name of a file says that it is a picture. */
bool cli_is_picture_name(const char *name);

/* When a file was modified: nanoseconds since 1970. */
int64_t cli_time_modified(const struct stat *info);

/* The bytes of a picture, in a file or in a part of one. */
typedef struct cli_part {
    uint8_t *bytes; /* to be freed */
    int64_t size, modified;
    bool unfit; /* no regular file, or more than a picture has */
} cli_part;

/* Reads size bytes of a file from offset on, or with SIZE_MAX all that follow. False with the reason in errno, which is
 * 0 where the file ends too soon and where it is unfit (but EISDIR for a folder). */
bool cli_part_read(cli_part *out, const char *path, size_t offset, size_t size);

/* Opens a tar file of pictures, about which something may be said, as far as it is whole (align_dataset_damage). */
align_status cli_tar_open(align_dataset **out, const char *path, align_error *err);

/* What is said about picture i, a line a text, to be freed; NULL: nothing. */
char *cli_tar_text(const align_dataset *tar, size_t i);

/* How to decode pictures that config resizes. */
align_image_options cli_image_options(const cli_decoding *decoding, const align_image_processor_config *config);

/* Opens a picture, or reads it from stdin for "-", at the size that config resizes it to. */
align_status cli_picture_open(align_image *out, const char *path, const cli_decoding *decoding,
                              const align_image_processor_config *config, align_error *err);

/* Labels from "a,b,c" arguments or a file with one a line. Exit codes as cli_parse. */
int cli_labels_split(const cli_command *command, cli_strings *labels, const cli_list *arguments);
int cli_labels_read(cli_strings *labels, const char *path);

/* Whether every text is UTF-8; otherwise CLI_USAGE, naming the option. */
int cli_check_texts(const cli_command *command, const char *option, const cli_list *texts);

/* Whether a file can be made at path: said before the work instead of after it. */
bool cli_check_output(const char *path);

/* The path absolute and without links, as far as it is there; to be freed. */
char *cli_absolute_path(const char *path);

/* Makes a folder and those above it; one that is there is fine. False after a message. */
bool cli_make_folder(const char *path);

/* Whether the path ends with the suffix, in any case. */
bool cli_has_suffix(const char *path, const char *suffix);

typedef struct cli_reader cli_reader;

/* ---- session.c ---- */

/* A model ready to run. */
typedef struct cli_session {
    char *folder;
    align_processor *processor;
    align_model *model;
    align_context *context;
    int64_t width; /* of an embedding */
} cli_session;

/* The folder that --model, ALIGN_MODEL or the default names, to be freed; NULL after a message when there is none. */
char *cli_model_folder(const cli_common *common);

/* The class that a model folder was saved from, by its config.json: towers can be saved alone. */
align_tower cli_model_tower(const char *folder);

/* Loads the model and its processor, which must know texts, pictures or both. */
bool cli_session_open(cli_session *session, const cli_common *common, bool texts, bool pictures);

/* Loads the model alone, for commands that get tensors. load NULL: the whole model. */
bool cli_session_open_model(cli_session *session, const cli_common *common, const align_load_options *load);

/* Loads the processor alone; the same demands. */
bool cli_session_open_processor(cli_session *session, const cli_common *common, bool texts, bool pictures);
void cli_session_done(cli_session *session);

/* Embeddings of unit length, [count, width]; to be freed. NULL after a message. Texts that occur twice run once. */
float *cli_embed_texts(cli_session *session, const cli_common *common, const char *const *texts, size_t count);

/* The embedding of the reader's next picture, of unit length, to out[width]; false after a message. */
bool cli_embed_next(cli_session *session, cli_reader *reader, float *out);

/* a . b; summed in double, so that a logit is as good as its vectors. */
float cli_dot(const float *a, const float *b, size_t n);

/* ---- ahead.c ---- */

typedef struct cli_ahead cli_ahead;
typedef void cli_work(void *context, void *piece); /* in any thread */

/* Starts so many workers (0: work is done when it is taken), and makes room for so many pieces. */
cli_ahead *cli_ahead_open(cli_work *work, void *context, size_t workers, size_t slots);
bool cli_ahead_has_room(const cli_ahead *ahead);
void cli_ahead_give(cli_ahead *ahead, void *piece); /* where there is room */

/* Waits for the oldest piece to be done, and gives it back; NULL: there is none. */
void *cli_ahead_take(cli_ahead *ahead);

/* Lets no more work begin: pieces are then given back as they are. */
void cli_ahead_stop(cli_ahead *ahead);
void cli_ahead_close(cli_ahead *ahead); /* pieces must have been taken */

/* ---- reader.c ---- */

/* A picture as the model takes it. */
typedef struct cli_pixels {
    int64_t shape[4]; /* [1, channels, height, width] */
    float *values;    /* to be freed */
} cli_pixels;

/* Processes a picture; out is to be freed in any case. */
align_status cli_pixels_process(cli_pixels *out, const align_image *image, const align_image_processor_config *config,
                                align_error *err);

/* Threads to use, as --threads has it. */
size_t cli_count_cores(const cli_common *common);

/* Starts to read the pictures; session, pictures and decoding must outlive the reader. */
cli_reader *cli_reader_open(const cli_session *session, const cli_common *common, const cli_strings *pictures,
                            const cli_decoding *decoding);

/* The next picture's pixel_values, [1, channels, height, width], valid until the next call. To be called at most once a
 * picture; a picture that cannot be read gives its error and the next call the next picture. */
align_status cli_reader_next(cli_reader *reader, align_tensor *pixel_values, align_error *err);
void cli_reader_close(cli_reader *reader);

/* ---- batch.c ---- */

/* Reads the bytes of a picture called so: all of a file (offset -1), or a part of one. The part is to be freed in any
 * case. */
align_status cli_picture_read(cli_part *out, const char *path, int64_t offset, int64_t size, const char *name,
                              align_error *err);

/* Decodes and processes them; out is to be freed in any case. */
align_status cli_pixels_decode(cli_pixels *out, const cli_part *part, const char *name, const cli_decoding *decoding,
                               const align_image_processor_config *config, align_error *err);

/* Pixels of one shape. Begins zeroed but for `most`. */
typedef struct cli_batch {
    size_t rows, most;
    int64_t shape[4]; /* of a picture */
    float *values;
} cli_batch;

bool cli_batch_has_room(const cli_batch *batch, const cli_pixels *pixels);
void cli_batch_add(cli_batch *batch, const cli_pixels *pixels); /* where there is room */

/* Runs the tower over what there is, and empties the batch: *vectors [rows, width], of any length, are valid until the
 * next run. False after a message. */
bool cli_batch_run(cli_batch *batch, cli_session *session, const float **vectors);
void cli_batch_done(cli_batch *batch);

/* ---- interrupt.c ---- */

/* From now on the first SIGINT or SIGTERM asks to end, and a second one ends. */
void cli_catch_signals(void);
bool cli_interrupted(void); /* one has asked */

/* ---- aside.c ---- */

/* A file that is being written beside its place, as PATH.tmp: by one process at a time. */
typedef struct cli_aside {
    FILE *file;
    char *path, *temporary;
} cli_aside;

FILE *cli_aside_open(cli_aside *aside, const char *path); /* NULL after a message; is to be closed all the same */

/* Puts the file on disk and into its place. False after a message, or where it was not open; what was there stays then.
 * size may be NULL. */
bool cli_aside_close(cli_aside *aside, int64_t *size);
void cli_aside_drop(cli_aside *aside); /* the file is not to be */

/* ---- claims.c ---- */

/* A lock on a file, which is made for it and removed with it. Zeroed: none. */
typedef struct cli_claim {
    char *path;
    int fd;
} cli_claim;

typedef enum cli_claim_result {
    CLI_CLAIM_TAKEN,
    CLI_CLAIM_BUSY,  /* another process has it, or a signal has ended the waiting */
    CLI_CLAIM_FAILED /* after a message */
} cli_claim_result;

/* To be tried once at a time in a process, which does not see its own locks. */
cli_claim_result cli_claim_take(cli_claim *claim, const char *path, bool wait);
void cli_claim_release(cli_claim *claim);

/* Which of how many processes this is, as mpirun or srun has told it; false (0 of 1) where nobody has. */
bool cli_rank_find(size_t *rank, size_t *ranks);

/* Where among so many pieces of work this process begins to look for one: elsewhere than the others. */
size_t cli_first_piece(size_t pieces);

/* ---- store.c ---- */

typedef struct cli_store {
    align_index *index;
    char *where;
} cli_store;

typedef enum cli_store_use {
    CLI_STORE_READ,   /* there must be an index; the disk need not be writable */
    CLI_STORE_CHANGE, /* there must be an index */
    CLI_STORE_REPAIR, /* the same, and it may be damaged */
    CLI_STORE_CREATE  /* one is made where there is none */
} cli_store_use;

/* clang-format off */
#define CLI_OPTION_STORE(where) \
    { CLI_TEXT, "store", "PLACE", &(where), 0, \
      "the index: a file, or postgresql://... (default: $ALIGN_STORE, else align/index.db where the user's data is)" }
/* clang-format on */

/* The place that --store, ALIGN_STORE or the default names, to be freed; NULL after a message when there is none. */
char *cli_store_place(const char *where);

/* Opens the index; session not NULL: it must be of that model. False after a message. */
bool cli_store_open(cli_store *store, const cli_common *common, const char *where, cli_store_use use,
                    const cli_session *session);

/* "sub/a.jpg", "shard.tar: 0001.jpg", to be freed: how an item is called. */
char *cli_item_name(const char *path, const char *member);

/* The folder "align" in the user's own one of a kind, by the XDG base directory specification: in what the variable
 * names or, without it, in that place below HOME. To be freed; NULL where neither is a folder. */
char *cli_user_folder(const char *variable, const char *below_home);

/* Whether an index that was opened without one is of the session's model. False after a message. */
bool cli_store_check_model(const cli_store *store, const cli_session *session);
void cli_store_done(cli_store *store); /* a zeroed one is fine */

/* Lets a filter choose what is in the folders; paths keeps their names and must outlive it. Exit codes as cli_parse. */
int cli_filter_folders(const cli_command *command, align_filter *filter, cli_strings *paths, const cli_list *folders);

/* ---- layers.c ---- */

/* The runs that a profile was kept of. */
typedef struct cli_layers {
    int64_t runs, batch;
    double milliseconds; /* all of them took, seen from outside */
    double peak;         /* multiply-adds a second that the machine can do */
} cli_layers;

/* Prints what every step cost: a table for people, or one object a step and one for all of them. */
void cli_print_layers(const align_profile *profile, const cli_layers *run, bool json);
#endif
