#ifndef ALIGN_SERVER_SEARCH_H
#define ALIGN_SERVER_SEARCH_H
/*
 * search.h: what search_question.c reads and search.c answers.
 */
#include "request.h"
#include <align/search.h>

typedef struct srv_search {
    size_t n_pictures, n_texts, n_minus; /* jobs, in this order */
    float *vector;                       /* an embedding that the client has, or NULL */
    int64_t *likes;                      /* [n_likes] ids of rows */
    size_t n_likes;
    double text_weight, image_weight, minus_weight, like_weight;
    int64_t top, skip;
    double threshold;
    align_filter filter;
    align_item_order order;
} srv_search;

/* Writes the problem of an index that gave an error, and gives false. */
bool srv_refuse_index(srv_request *request);

/* Whether anything is looked for: otherwise the answer is a list. */
static inline bool srv_search_looks(const srv_request *request, const srv_search *s)
{
    return request->n_jobs + s->n_likes > 0 || s->vector;
}
#endif
