#ifndef AL_LOG_H
#define AL_LOG_H
/*
 * log.h: the run as lines of JSON, one a step, for people with other tools:
 *
 *     {"step": 12, "epoch": 0.5, "loss": 2.31, "rate": 0.001, "gradient": 1.7, "temperature": 0.07,
 *      "seconds": 0.8, "pairs": 64, "skipped": 0}
 *
 * A step that was validated has the lists "text_to_image" and "image_to_text" too: recall at 1, 5 and 10.
 */
#include <align/train.h>

typedef struct al_log al_log;

/* Opens the file for the steps after `step`: lines of later ones, which a run that was killed had already written, are
 * removed. */
align_status al_log_open(al_log **out, const char *path, int64_t step, align_error *err);
align_status al_log_step(al_log *log, const align_train_progress *progress, align_error *err);
void al_log_free(al_log *log); /* NULL is fine */
#endif
