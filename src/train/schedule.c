/* schedule.c: see schedule.h. */
#include "train/schedule.h"

#include <math.h>

double al_schedule_factor(const al_schedule *s, int64_t step)
{
    static const double pi = 3.14159265358979323846;
    if (step < s->warmup)
        return (double)step / (double)s->warmup;
    const int64_t all = s->steps > s->warmup ? s->steps - s->warmup : 1;
    const double passed = (double)(step - s->warmup) / (double)all, left = passed < 1.0 ? 1.0 - passed : 0.0;
    switch (s->kind) {
    case ALIGN_SCHEDULE_LINEAR:
        return left;
    case ALIGN_SCHEDULE_COSINE:
        return 0.5 * (1.0 + cos(pi * (1.0 - left)));
    case ALIGN_SCHEDULE_CONSTANT:
        break;
    }
    return 1.0;
}
