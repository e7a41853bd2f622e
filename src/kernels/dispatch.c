/* dispatch.c: the only file that asks what the CPU can do. */
#include "kernels/kernels.h"

#include <align/model.h>
#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>
#if defined(AL_AMX)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#elif defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

/* The table in use: weights are packed for it, so it never changes once it is chosen. */
static const al_kernels *_Atomic chosen;

#if defined(__x86_64__)
static int has_avx2(void)
{
    unsigned a, b, c, d;
    const unsigned f16c = 1u << 29; /* not every compiler's __builtin_cpu_supports knows it */
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __get_cpuid(1, &a, &b, &c, &d) &&
           (c & f16c) != 0;
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

#if defined(AL_AMX)
/* Tiles of bf16 and bytes, and a system that saves them: bits 17 and 18 of XCR0. */
static int has_amx(void)
{
    unsigned a, b, c, d;
    if (!has_avx512bf16() || !__get_cpuid_count(7, 0, &a, &b, &c, &d))
        return 0;
    const unsigned bf16 = 1u << 22, tile = 1u << 24, int8 = 1u << 25, all = bf16 | tile | int8;
    if ((d & all) != all)
        return 0;
    __asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
    return (a >> 17 & 3) == 3;
}

/*
 * Linux lets a process use tiles once it has asked; threads that it has or starts may use them too. It is not asked for
 * a table that is not wanted: from then on, alternate signal stacks must have room for tiles.
 */
static int may_use_tiles(void)
{
    enum { ask_for_feature = 0x1023, tile_data = 18 }; /* ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA */
    return syscall(SYS_arch_prctl, ask_for_feature, tile_data) == 0;
}
#endif
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
    const char *wanted = getenv("ALIGN_ISA");
    const int any = !wanted || !*wanted;
    /* Best first; the last one runs anywhere. */
    const struct {
        const al_kernels *kernels;
        int runs;
    } table[] = {
#if defined(__x86_64__)
#if defined(AL_AMX)
        {&al_kernels_amx, (any || !strcmp(wanted, "amx")) && has_amx() && may_use_tiles()},
#endif
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
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].runs && (any || !strcmp(wanted, table[i].kernels->isa)))
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
