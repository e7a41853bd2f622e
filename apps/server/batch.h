#ifndef ALIGN_SERVER_BATCH_H
#define ALIGN_SERVER_BATCH_H
/*
 * batch.h: ready jobs of one tower through the model, together.
 */
#include "engine.h"

/* Room that is kept from batch to batch. Belongs to one thread. */
typedef struct srv_batcher {
    const align_model *model;
    align_context *context;
    size_t width;
    void *room[2]; /* ids and mask, or pixels */
    size_t room_bytes[2];
} srv_batcher;

void srv_batcher_init(srv_batcher *batcher, const align_model *model, align_context *context);
void srv_batcher_done(srv_batcher *batcher);

/* Whether two jobs fit into one batch. */
bool srv_batch_fits(const srv_job *a, const srv_job *b);

/* Computes the embeddings of n jobs, which fit together. False: the model could not, or there is no memory. */
bool srv_batch_run(srv_batcher *batcher, srv_job *const *jobs, size_t n);
#endif
