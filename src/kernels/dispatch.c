/* dispatch.c: the only file that asks what the CPU can do. */
#include "kernels/kernels.h"

#include <align/model.h>
#include <stdlib.h>
#include <string.h>

/* The table in use: weights are packed for it, so it never changes once it is chosen. */
static const al_kernels *_Atomic chosen;

static const al_kernels *choose(void)
{
    /* Best first; the last one runs anywhere. */
    const struct {
        const al_kernels *kernels;
        int runs;
    } table[] = {
#if defined(__x86_64__)
        {&al_kernels_avx512, __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                                 __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq")},
        {&al_kernels_avx2, __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")},
#elif defined(__aarch64__)
        {&al_kernels_neon, 1},
#endif
        {&al_kernels_ref, 1},
    };
    const char *wanted = getenv("ALIGN_ISA");
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].runs && (!wanted || !*wanted || !strcmp(wanted, table[i].kernels->isa)))
            return table[i].kernels;
    return NULL;
}

const al_kernels *al_kernels_get(void)
{
    const al_kernels *kernels = chosen;
    if (!kernels)
        chosen = kernels = choose(); /* two threads may both choose: they choose the same */
    return kernels;
}

const char *align_isa(void)
{
    const al_kernels *kernels = al_kernels_get();
    return kernels ? kernels->isa : "none";
}
