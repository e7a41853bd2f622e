/* log.c: see log.h. */
#include "train/log.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/status.h"
#include "checkpoint/json.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* A longer log is not read again: it is too long to be one. */
#define LOG_LIMIT ((size_t)4 << 30)

struct al_log {
    char *path;
    int fd;
};

/* ---- lines of an earlier run ---- */

/* Whether a line, without its end, is a step's, and of at most the given number. */
static bool belongs(const char *line, size_t size, int64_t step)
{
    json_t *tree;
    if (al_json_parse(&tree, line, size, "log", NULL) != ALIGN_OK)
        return false;
    const json_t *number = json_object_get(tree, "step");
    const bool kept = json_is_integer(number) && json_integer_value(number) <= step;
    json_decref(tree);
    return kept;
}

static align_status cut_after(const char *path, int64_t step, align_error *err)
{
    align_status status = ALIGN_OK;
    char *text = NULL;
    size_t size;
    al_buffer kept = {0};
    if (!al_is_file(path))
        return ALIGN_OK;
    TRY(al_file_read(&text, &size, path, LOG_LIMIT, err));
    for (const char *line = text, *end; (end = memchr(line, '\n', size - (size_t)(line - text))); line = end + 1)
        if (belongs(line, (size_t)(end - line), step))
            al_buffer_put(&kept, line, (size_t)(end + 1 - line));
    TRY(al_buffer_check(&kept, err));
    if (kept.size != size)
        TRY(al_file_write(path, kept.data, kept.size, err));
done:
    al_free(text);
    al_buffer_done(&kept);
    return status;
}

align_status al_log_open(al_log **out, const char *path, int64_t step, align_error *err)
{
    align_status status = ALIGN_OK;
    *out = NULL;
    al_log *log = al_calloc(1, sizeof *log);
    if (!log)
        return al_error_no_memory(err, sizeof *log);
    log->fd = -1;
    log->path = al_strdup(path);
    if (!log->path) {
        status = al_error_no_memory(err, strlen(path));
        goto done;
    }
    TRY(cut_after(path, step, err));
    log->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (log->fd < 0)
        FAIL(err, ALIGN_ERROR_IO, "%s: cannot write: %s", path, strerror(errno));
    *out = log;
    log = NULL;
done:
    al_log_free(log);
    return status;
}

void al_log_free(al_log *log)
{
    if (!log)
        return;
    if (log->fd >= 0)
        close(log->fd);
    al_free(log->path);
    al_free(log);
}

/* ---- lines of this one ---- */

static void put_recall(al_buffer *line, const char *name, const double recall[3])
{
    al_buffer_format(line, ", \"%s\": [", name);
    for (int i = 0; i < 3; i++) {
        al_buffer_puts(line, i ? ", " : "");
        al_buffer_number(line, recall[i], 9);
    }
    al_buffer_putc(line, ']');
}

static void put_line(al_buffer *line, const align_train_progress *p)
{
    const struct {
        const char *name;
        double value;
    } numbers[] = {{"epoch", p->epoch},
                   {"loss", p->loss},
                   {"rate", p->rate},
                   {"gradient", p->gradient},
                   {"temperature", p->temperature},
                   {"seconds", p->seconds}};
    al_buffer_format(line, "{\"step\": %" PRId64, p->step);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        al_buffer_format(line, ", \"%s\": ", numbers[i].name);
        al_buffer_number(line, numbers[i].value, 9);
    }
    al_buffer_format(line, ", \"pairs\": %" PRId64 ", \"skipped\": %" PRId64, p->pairs, p->skipped);
    if (p->validation) {
        put_recall(line, "text_to_image", p->validation->text_to_image);
        put_recall(line, "image_to_text", p->validation->image_to_text);
    }
    al_buffer_puts(line, "}\n");
}

static align_status write_all(const al_log *log, const char *bytes, size_t size, align_error *err)
{
    while (size > 0) {
        const ssize_t n = write(log->fd, bytes, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return al_error_set(err, ALIGN_ERROR_IO, "%s: cannot write: %s", log->path, strerror(errno));
        bytes += n;
        size -= (size_t)n;
    }
    return ALIGN_OK;
}

align_status al_log_step(al_log *log, const align_train_progress *progress, align_error *err)
{
    align_status status = ALIGN_OK;
    al_buffer line = {0};
    put_line(&line, progress);
    TRY(al_buffer_check(&line, err));
    TRY(write_all(log, line.data, line.size, err));
done:
    al_buffer_done(&line);
    return status;
}
