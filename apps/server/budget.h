#ifndef ALIGN_SERVER_BUDGET_H
#define ALIGN_SERVER_BUDGET_H
/*
 * budget.h: how much of the memory may be taken by what clients decide: bodies, what is read out of them, pictures that
 * are fetched, answers. What would be more is refused, so that many requests together cannot exhaust a machine that
 * each of them alone would not. Any thread may take and give.
 */
#include "metrics.h"

typedef struct srv_budget {
    atomic_size_t used;
    size_t most;
    srv_metrics *metrics;
} srv_budget;

void srv_budget_init(srv_budget *budget, size_t most, srv_metrics *metrics);

/* False, and nothing is taken, where it would be too much. */
bool srv_budget_take(srv_budget *budget, size_t bytes);
void srv_budget_give(srv_budget *budget, size_t bytes);
#endif
