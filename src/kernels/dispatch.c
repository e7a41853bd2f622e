/* dispatch.c: the only file that asks what the CPU can do. */
#include "kernels/kernels.h"

#include <align/model.h>
#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

/* The table in use: weights are packed for it, so it never changes once it is chosen. */
static const al_kernels *_Atomic chosen;

#if defined(__x86_64__)
static int has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

/* Not every compiler's __builtin_cpu_supports knows AVX-VNNI. */
static int has_avxvnni(void)
{
    unsigned a, b, c, d;
    return has_avx2() && __get_cpuid_count(7, 1, &a, &b, &c, &d) && a >> 4 & 1;
}

static int has_avx512(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
}

static int has_avx512vnni(void)
{
    return has_avx512() && __builtin_cpu_supports("avx512vnni");
}

static int has_avx512bf16(void)
{
    return has_avx512vnni() && __builtin_cpu_supports("avx512bf16");
}
#elif defined(__aarch64__) && defined(__linux__)
static int has_neondot(void)
{
    return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
}

static int has_neonbf16(void)
{
    return has_neondot() && (getauxval(AT_HWCAP2) & HWCAP2_BF16) != 0;
}
#elif defined(__aarch64__)
/* What the compiler was told to count on. */
static int has_neondot(void)
{
#if defined(__ARM_FEATURE_DOTPROD)
    return 1;
#else
    return 0;
#endif
}

static int has_neonbf16(void)
{
#if defined(__ARM_FEATURE_BF16_VECTOR_ARITHMETIC)
    return has_neondot();
#else
    return 0;
#endif
}
#endif

static const al_kernels *choose(void)
{
    /* Best first; the last one runs anywhere. */
    const struct {
        const al_kernels *kernels;
        int runs;
    } table[] = {
#if defined(__x86_64__)
        /* Intel's dot product of bf16 is slower than widening bf16 weights: it is taken there only if named. */
        {&al_kernels_avx512bf16, has_avx512bf16() && __builtin_cpu_is("amd")},
        {&al_kernels_avx512vnni, has_avx512vnni()},
        {&al_kernels_avx512bf16, has_avx512bf16()},
        {&al_kernels_avx512, has_avx512()},
        {&al_kernels_avxvnni, has_avxvnni()},
        {&al_kernels_avx2, has_avx2()},
#elif defined(__aarch64__)
        {&al_kernels_neonbf16, has_neonbf16()},
        {&al_kernels_neondot, has_neondot()},
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
