#ifndef AL_EVENTS_H
#define AL_EVENTS_H
/*
 * events.h: the run as TensorBoard reads it: a file of records (TFRecord: length, masked CRC-32C, bytes, CRC again),
 * each an Event of tensorflow/core/util/event.proto with scalars of a step. A run that goes on writes another file,
 * which tells TensorBoard from which step on to forget the earlier one.
 */
#include <align/train.h>

typedef struct al_events al_events;

/* Makes folder/events.out.tfevents.TIME.HOST.PROCESS; step is the one last done. */
align_status al_events_open(al_events **out, const char *folder, int64_t step, align_error *err);
align_status al_events_step(al_events *events, const align_train_progress *progress, align_error *err);
void al_events_free(al_events *events); /* NULL is fine */

/* The CRC-32C of bytes, as iSCSI defines it (RFC 3720). */
uint32_t al_crc32c(const void *bytes, size_t size);
#endif
