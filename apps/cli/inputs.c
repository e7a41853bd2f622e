/*
 * inputs.c: what the user names on the command line: pictures, folders of pictures, lists of labels, texts, and "-" for
 * standard input. Names and texts are judged here, before a model is loaded.
 */
#include "cli.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define MAX_STDIN_BYTES   (INT64_C(1) << 30)
#define MAX_PICTURE_BYTES (INT64_C(1) << 30) /* of a file: more is no picture */
#define MAX_LABELS_BYTES  (INT64_C(1) << 28)

bool cli_has_suffix(const char *path, const char *suffix)
{
    size_t length = strlen(path), n = strlen(suffix);
    return length >= n && strcasecmp(path + length - n, suffix) == 0;
}

/* ---- pictures ---- */

/* All pictures in a folder; false after a message. */
static bool add_folder(cli_strings *pictures, const char *folder)
{
    cli_walk walk = {0};
    cli_walk_add(&walk, folder);
    cli_walk_links(&walk);
    for (size_t i = 0; i < walk.n_files; i++)
        cli_strings_add(pictures, cli_format("%s", walk.files[i].path));
    for (size_t i = 0; i < walk.problems.count; i++)
        cli_fail("%s", walk.problems.items[i]);
    bool ok = walk.problems.count == 0;
    if (ok && walk.n_files == 0)
        ok = cli_fail("%s: no pictures in this folder", folder) == CLI_DONE;
    cli_walk_done(&walk);
    return ok;
}

bool cli_pictures_expand(cli_strings *pictures, const cli_list *arguments)
{
    bool ok = true, stdin_taken = false;
    for (size_t i = 0; i < arguments->count; i++) {
        const char *argument = arguments->items[i];
        bool is_stdin = strcmp(argument, "-") == 0;
        struct stat info;
        if (is_stdin && stdin_taken) {
            ok = cli_fail("standard input can only be read once") == CLI_DONE;
        } else if (!is_stdin && stat(argument, &info) == 0 && S_ISDIR(info.st_mode)) {
            ok = add_folder(pictures, argument) && ok;
        } else {
            cli_strings_add(pictures, cli_format("%s", argument)); /* a file that is missing says so when opened */
            stdin_taken = stdin_taken || is_stdin;
        }
    }
    return ok;
}

/* All of a stream, with a zero behind it; NULL with the reason in err. */
static char *read_stream(FILE *file, const char *name, int64_t limit, size_t *size, align_error *err)
{
    size_t capacity = 1 << 16;
    char *bytes = cli_alloc(capacity, 1);
    *size = 0;
    for (size_t got; (got = fread(bytes + *size, 1, capacity - 1 - *size, file)) > 0;) {
        *size += got;
        if ((int64_t)*size > limit)
            break;
        if (capacity - 1 - *size < capacity / 2) {
            capacity *= 2;
            bytes = cli_realloc(bytes, capacity, 1);
        }
    }
    bytes[*size] = '\0';
    if (ferror(file) || (int64_t)*size > limit) {
        err->status = ALIGN_ERROR_IO;
        snprintf(err->message, sizeof err->message, "%s: %s", name, ferror(file) ? strerror(errno) : "too large");
        free(bytes);
        return NULL;
    }
    return bytes;
}

int64_t cli_time_modified(const struct stat *info)
{
    return (int64_t)info->st_mtim.tv_sec * 1000000000 + info->st_mtim.tv_nsec;
}

/* False where it ends too soon (errno 0) or cannot be read. */
static bool read_all(int fd, uint8_t *bytes, int64_t size, int64_t offset)
{
    for (int64_t got = 0; got < size;) {
        const ssize_t n = pread(fd, bytes + got, (size_t)(size - got), offset + got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            errno = n == 0 ? 0 : errno;
            return false;
        }
        got += n;
    }
    return true;
}

static bool read_part(cli_part *out, int fd, size_t offset, size_t size)
{
    struct stat info;
    if (fstat(fd, &info) != 0)
        return false;
    out->size = size == SIZE_MAX ? info.st_size - (int64_t)offset : (int64_t)size;
    out->modified = cli_time_modified(&info);
    out->unfit = !S_ISREG(info.st_mode) || out->size < 0 || out->size > MAX_PICTURE_BYTES;
    if (out->unfit) {
        errno = S_ISDIR(info.st_mode) ? EISDIR : 0;
        return false;
    }
    out->bytes = cli_alloc((size_t)out->size, 1);
    if (read_all(fd, out->bytes, out->size, (int64_t)offset))
        return true;
    free(out->bytes);
    out->bytes = NULL;
    return false;
}

bool cli_part_read(cli_part *out, const char *path, size_t offset, size_t size)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    *out = (cli_part){0};
    if (fd < 0)
        return false;
    const bool ok = read_part(out, fd, offset, size);
    const int reason = errno;
    close(fd);
    errno = reason;
    return ok;
}

align_status cli_tar_open(align_dataset **out, const char *path, align_error *err)
{
    align_dataset_options options = ALIGN_DATASET_OPTIONS_INIT;
    options.format = ALIGN_DATA_WEBDATASET;
    options.without_texts = options.despite_damage = true;
    return align_dataset_open(out, path, &options, err);
}

char *cli_tar_text(const align_dataset *tar, size_t i)
{
    char *all = NULL;
    for (size_t k = 0; k < align_dataset_texts(tar, i); k++)
        cli_append(&all, "\n", align_dataset_text(tar, i, k));
    return all;
}

align_image_options cli_image_options(const cli_decoding *decoding, const align_image_processor_config *config)
{
    align_image_options options = ALIGN_IMAGE_OPTIONS_INIT;
    options.ignore_orientation = strcmp(decoding->orientation, "ignore") == 0;
    options.resize_for = config;
    options.fast_decode = decoding->fast;
    return options;
}

align_status cli_picture_open(align_image *out, const char *path, const cli_decoding *decoding,
                              const align_image_processor_config *config, align_error *err)
{
    const align_image_options options = cli_image_options(decoding, config);
    if (strcmp(path, "-") != 0)
        return align_image_open(out, path, &options, err);
    size_t size;
    char *bytes = read_stream(stdin, "standard input", MAX_STDIN_BYTES, &size, err);
    if (!bytes)
        return err->status;
    align_status status = align_image_decode(out, bytes, size, "standard input", &options, err);
    free(bytes);
    return status;
}

/* ---- names ---- */

char *cli_absolute_path(const char *path)
{
    char *real = realpath(path, NULL);
    if (real)
        return real;
    /* Of a file that is gone the folder may be there. */
    const char *slash = strrchr(path, '/');
    if (slash == path || strcmp(path, ".") == 0)
        return cli_format("%s", path);
    char *folder = slash ? cli_format("%.*s", (int)(slash - path), path) : cli_format(".");
    char *above = cli_absolute_path(folder);
    char *whole = cli_join_path(above, slash ? slash + 1 : path);
    free(above);
    free(folder);
    return whole;
}

bool cli_make_folder(const char *path)
{
    struct stat info;
    if (mkdir(path, 0777) == 0 || (errno == EEXIST && stat(path, &info) == 0 && S_ISDIR(info.st_mode)))
        return true;
    const char *slash = strrchr(path, '/');
    if (errno == ENOENT && slash && slash > path) {
        char *above = cli_format("%.*s", (int)(slash - path), path);
        const bool ok = cli_make_folder(above);
        free(above);
        if (!ok || mkdir(path, 0777) == 0 || errno == EEXIST)
            return ok;
    }
    return cli_fail("%s: cannot make folder: %s", path, strerror(errno)) == CLI_DONE;
}

/* ---- texts ---- */

int cli_check_texts(const cli_command *command, const char *option, const cli_list *texts)
{
    for (size_t i = 0; i < texts->count; i++)
        if (!cli_utf8_valid(texts->items[i]))
            return cli_usage_error(command, "%s number %zu is not UTF-8", option, i + 1);
    return CLI_PROCEED;
}

/* text[0..length) without the blanks around it. */
static char *trimmed(const char *text, size_t length)
{
    static const char blanks[] = " \t\r";
    while (length > 0 && strchr(blanks, text[length - 1]))
        length--;
    while (length > 0 && strchr(blanks, *text)) {
        text++;
        length--;
    }
    return cli_format("%.*s", (int)length, text);
}

int cli_labels_split(const cli_command *command, cli_strings *labels, const cli_list *arguments)
{
    int code = cli_check_texts(command, "--labels", arguments);
    for (size_t i = 0; i < arguments->count && code == CLI_PROCEED; i++) {
        const char *label = arguments->items[i];
        for (bool more = true; more; label++) {
            size_t length = strcspn(label, ",");
            cli_strings_add(labels, trimmed(label, length));
            if (labels->items[labels->count - 1][0] == '\0')
                return cli_usage_error(command, "--labels: label %zu is empty in '%s'", labels->count,
                                       arguments->items[i]);
            label += length;
            more = *label == ',';
        }
    }
    return code;
}

static int split_lines(cli_strings *labels, const char *path, const char *text, size_t size)
{
    if (strlen(text) != size)
        return cli_fail("%s: a labels file is text, found a zero byte at %zu", path, strlen(text));
    if (strncmp(text, "\xEF\xBB\xBF", 3) == 0)
        text += 3; /* a byte order mark, as some editors write it */
    for (size_t line = 1; *text; line++) {
        size_t length = strcspn(text, "\n");
        char *label = trimmed(text, length);
        if (!cli_utf8_valid(label)) {
            free(label);
            return cli_fail("%s: line %zu is not UTF-8", path, line);
        }
        if (*label)
            cli_strings_add(labels, label);
        else
            free(label);
        text += length + (text[length] == '\n');
    }
    if (labels->count == 0)
        return cli_fail("%s: no labels in this file", path);
    return CLI_PROCEED;
}

int cli_labels_read(cli_strings *labels, const char *path)
{
    bool is_stdin = strcmp(path, "-") == 0;
    const char *name = is_stdin ? "standard input" : path;
    FILE *file = is_stdin ? stdin : fopen(path, "rb");
    if (!file)
        return cli_fail("%s: cannot open labels file: %s", path, strerror(errno));
    size_t size;
    align_error err = ALIGN_ERROR_INIT;
    char *text = read_stream(file, name, MAX_LABELS_BYTES, &size, &err);
    if (!is_stdin)
        fclose(file);
    if (!text)
        return cli_fail("%s", err.message);
    int code = split_lines(labels, name, text, size);
    free(text);
    return code;
}

/* ---- outputs ---- */

bool cli_check_output(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash ? cli_format("%.*s", slash == path ? 1 : (int)(slash - path), path) : cli_format(".");
    struct stat info;
    bool ok = false;
    if (*path == '\0')
        cli_fail("the file to write has no name");
    else if (stat(path, &info) == 0 && !S_ISREG(info.st_mode)) /* renaming over a device would replace it */
        cli_fail("%s: cannot write: not a regular file", path);
    else if (access(folder, W_OK | X_OK) != 0)
        cli_fail("%s: cannot write: %s", path, strerror(errno));
    else
        ok = true;
    free(folder);
    return ok;
}
