/* events.c: see events.h. */
#include "train/events.h"

#include "base/memory.h"
#include "base/status.h"
#include "checkpoint/buffer.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct al_events {
    char *path;
    int fd;
};

/* ---- records ---- */

uint32_t al_crc32c(const void *bytes, size_t size)
{
    const unsigned char *p = bytes;
    uint32_t crc = 0xFFFFFFFFu;
    for (size_t i = 0; i < size; i++) {
        crc ^= p[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78u : 0);
    }
    return ~crc;
}

/* TFRecord's way to keep the CRC of bytes that hold CRCs from being trivial. */
static uint32_t masked_crc(const void *bytes, size_t size)
{
    const uint32_t crc = al_crc32c(bytes, size);
    return (crc >> 15 | crc << 17) + 0xA282EAD8u;
}

static align_status write_record(const al_events *events, const al_buffer *event, align_error *err)
{
    align_status status = ALIGN_OK;
    al_buffer record = {0};
    TRY(al_buffer_check(event, err));
    al_buffer_put_le(&record, event->size, 8);
    if (!record.failed)
        al_buffer_put_le(&record, masked_crc(record.data, 8), 4);
    al_buffer_put(&record, event->data, event->size);
    al_buffer_put_le(&record, masked_crc(event->data, event->size), 4);
    TRY(al_buffer_check(&record, err));
    /* in one piece: a reader that looks meanwhile sees whole records */
    const ssize_t n = write(events->fd, record.data, record.size);
    if (n < 0 || (size_t)n != record.size)
        FAIL(err, ALIGN_ERROR_IO, "%s: cannot write: %s", events->path, n < 0 ? strerror(errno) : "no space left");
done:
    al_buffer_done(&record);
    return status;
}

/* ---- protocol buffers: key = number << 3 | wire type ---- */

enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };

static void put_varint(al_buffer *out, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        al_buffer_putc(out, (int)(value & 0x7F) | 0x80);
    al_buffer_putc(out, (int)value);
}

static void put_key(al_buffer *out, unsigned number, unsigned wire)
{
    put_varint(out, number << 3 | wire);
}

static void put_bytes(al_buffer *out, unsigned number, const void *bytes, size_t size)
{
    put_key(out, number, BYTES);
    put_varint(out, size);
    al_buffer_put(out, bytes, size);
}

/* A message inside another; ends the inner one. */
static void put_message(al_buffer *out, unsigned number, al_buffer *inner)
{
    out->failed |= inner->failed;
    put_bytes(out, number, inner->data, inner->size);
    al_buffer_done(inner);
}

/* Event: wall_time = 1, step = 2, file_version = 3, summary = 5, session_log = 7. */
static void begin_event(al_buffer *event, int64_t step)
{
    struct timespec now;
    uint64_t bits;
    clock_gettime(CLOCK_REALTIME, &now);
    const double seconds = (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
    memcpy(&bits, &seconds, sizeof bits);
    put_key(event, 1, FIXED64);
    al_buffer_put_le(event, bits, 8);
    put_key(event, 2, VARINT);
    put_varint(event, (uint64_t)step);
}

/* Summary: value = 1; Value: tag = 1, simple_value = 2. */
static void put_scalar(al_buffer *summary, const char *tag, double value)
{
    al_buffer scalar = {0};
    const float number = (float)value;
    uint32_t bits;
    memcpy(&bits, &number, sizeof bits);
    put_bytes(&scalar, 1, tag, strlen(tag));
    put_key(&scalar, 2, FIXED32);
    al_buffer_put_le(&scalar, bits, 4);
    put_message(summary, 1, &scalar);
}

/* ---- the file ---- */

static align_status write_start(const al_events *events, int64_t step, align_error *err)
{
    static const char version[] = "brain.Event:2";
    align_status status = ALIGN_OK;
    al_buffer first = {0}, second = {0}, session = {0};
    begin_event(&first, 0);
    put_bytes(&first, 3, version, sizeof version - 1);
    TRY(write_record(events, &first, err));
    begin_event(&second, step + 1); /* SessionLog: status = 1, START = 1: forget steps from this one on */
    put_key(&session, 1, VARINT);
    put_varint(&session, 1);
    put_message(&second, 7, &session);
    TRY(write_record(events, &second, err));
done:
    al_buffer_done(&first);
    al_buffer_done(&second);
    return status;
}

align_status al_events_open(al_events **out, const char *folder, int64_t step, align_error *err)
{
    align_status status = ALIGN_OK;
    char host[128] = "";
    *out = NULL;
    al_events *events = al_calloc(1, sizeof *events);
    if (!events)
        return al_error_no_memory(err, sizeof *events);
    events->fd = -1;
    if (gethostname(host, sizeof host - 1) != 0 || strchr(host, '/'))
        strcpy(host, "localhost");
    events->path =
        al_format("%s/events.out.tfevents.%010lld.%s.%ld", folder, (long long)time(NULL), host, (long)getpid());
    if (!events->path) {
        status = al_error_no_memory(err, strlen(folder));
        goto done;
    }
    events->fd = open(events->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (events->fd < 0)
        FAIL(err, ALIGN_ERROR_IO, "%s: cannot write: %s", events->path, strerror(errno));
    TRY(write_start(events, step, err));
    *out = events;
    events = NULL;
done:
    al_events_free(events);
    return status;
}

void al_events_free(al_events *events)
{
    if (!events)
        return;
    if (events->fd >= 0)
        close(events->fd);
    al_free(events->path);
    al_free(events);
}

static void put_recall(al_buffer *summary, const char *tag, const double recall[3])
{
    static const char *const at[] = {"1", "5", "10"};
    for (int i = 0; i < 3; i++) {
        char name[64];
        strcpy(name, tag);
        strcat(name, at[i]);
        put_scalar(summary, name, recall[i]);
    }
}

align_status al_events_step(al_events *events, const align_train_progress *p, align_error *err)
{
    al_buffer event = {0}, summary = {0};
    put_scalar(&summary, "train/loss", p->loss);
    put_scalar(&summary, "train/rate", p->rate);
    put_scalar(&summary, "train/gradient", p->gradient);
    put_scalar(&summary, "train/temperature", p->temperature);
    if (p->seconds > 0.0)
        put_scalar(&summary, "train/pairs_per_second", (double)p->pairs / p->seconds);
    if (p->validation) {
        put_recall(&summary, "validation/text_to_image@", p->validation->text_to_image);
        put_recall(&summary, "validation/image_to_text@", p->validation->image_to_text);
    }
    begin_event(&event, p->step);
    put_message(&event, 5, &summary);
    const align_status status = write_record(events, &event, err);
    al_buffer_done(&event);
    return status;
}
