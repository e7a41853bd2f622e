#ifndef ALIGN_SERVER_SEARCH_H
#define ALIGN_SERVER_SEARCH_H
/*
 * search.h: what search_question.c reads and search.c answers.
 */
#include "request.h"
#include <align/search.h>

typedef struct srv_search {
    size_t n_pictures, n_texts, n_minus; /* jobs, in this order */
    int64_t *likes;                      /* [n_likes] ids of rows */
    size_t n_likes;
    double text_weight, image_weight, minus_weight, like_weight;
    int64_t top, skip;
    double threshold;
    align_filter filter;
    align_item_order order;
} srv_search;
#endif
