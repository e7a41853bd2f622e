#ifndef ALIGN_SERVER_PREPARE_H
#define ALIGN_SERVER_PREPARE_H
/*
 * prepare.h: what is done with one text or picture before the model: what workers of the engine do.
 */
#include "engine.h"

typedef struct srv_preparer {
    const align_tokenizer *tokenizer;           /* NULL: none */
    const align_image_processor_config *images; /* NULL: none */
    int64_t text_limit, max_pixels;
    int64_t special[2]; /* the ids before and after a text */
} srv_preparer;

/* Fills in what the model wants to know of its towers; false: a message says why not. */
align_status srv_preparer_init(srv_preparer *preparer, const align_model *model, const align_processor *processor,
                               int64_t max_pixels, align_error *err);

/* Fills the job's row or pixels; SRV_JOB_PENDING means that it is ready for the model. In any thread. */
srv_outcome srv_prepare(const srv_preparer *preparer, srv_job *job);

/* Releases them. */
void srv_prepared_done(srv_job *job);
#endif
