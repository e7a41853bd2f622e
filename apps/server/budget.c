/*
 * budget.c: a sum that is not exceeded.
 */
#include "budget.h"

void srv_budget_init(srv_budget *budget, size_t most, srv_metrics *metrics)
{
    atomic_init(&budget->used, 0);
    budget->most = most;
    budget->metrics = metrics;
}

bool srv_budget_take(srv_budget *budget, size_t bytes)
{
    size_t used = atomic_load(&budget->used);
    do {
        if (bytes > budget->most - used)
            return false;
    } while (!atomic_compare_exchange_weak(&budget->used, &used, used + bytes));
    srv_gauge_add(budget->metrics, SRV_HELD_BYTES, (int64_t)bytes);
    return true;
}

void srv_budget_give(srv_budget *budget, size_t bytes)
{
    atomic_fetch_sub(&budget->used, bytes);
    srv_gauge_add(budget->metrics, SRV_HELD_BYTES, -(int64_t)bytes);
}
