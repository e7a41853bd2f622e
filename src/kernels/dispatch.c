/* dispatch.c: the only file that asks what the CPU can do. */
#include "kernels/kernels.h"

#include <align/model.h>
#include <stdlib.h>
#include <string.h>

const al_kernels *al_kernels_get(void)
{
    /* Best first; the last one runs anywhere. Asking is cheap enough to need no memory of the answer. */
    const struct {
        const al_kernels *kernels;
        int runs;
    } table[] = {
#if defined(__x86_64__)
        {&al_kernels_avx512, __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                                 __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq")},
        {&al_kernels_avx2, __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")},
#endif
        {&al_kernels_ref, 1},
    };
    const char *wanted = getenv("ALIGN_ISA");
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].runs && (!wanted || !*wanted || !strcmp(wanted, table[i].kernels->isa)))
            return table[i].kernels;
    return NULL;
}

const char *align_isa(void)
{
    const al_kernels *kernels = al_kernels_get();
    return kernels ? kernels->isa : "none";
}
