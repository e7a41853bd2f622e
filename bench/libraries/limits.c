/*
 * limits.c: what one thread of this x86 machine can do at most: multiply-adds a second from registers, by instruction,
 * and bytes a second read from each level of the memory. One JSON object a line.
 */
#include <immintrin.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { REPEATS = 9, CHAINS = 12, ROUNDS = 400000 };
enum { CPUID_7_EDX_AMX_BF16 = 22, CPUID_7_EDX_AMX_INT8 = 25 };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- arithmetic: twelve independent accumulators, enough to hide the latency of the instruction ---- */

/* The empty asm keeps an accumulator in a register and the compiler from seeing through the loop. */
#define STEP(step, acc)                   \
    do {                                  \
        acc = step(acc, x, x);            \
        __asm__ volatile("" : "+v"(acc)); \
    } while (0)

#define PEAK(name, isa, type, zero, step)                        \
    __attribute__((target(isa))) static void name(void)          \
    {                                                            \
        type x = zero, a = x, b = x, c = x, d = x, e = x, f = x; \
        type g = x, h = x, i = x, j = x, k = x, l = x;           \
        for (int round = 0; round < ROUNDS; round++) {           \
            STEP(step, a);                                       \
            STEP(step, b);                                       \
            STEP(step, c);                                       \
            STEP(step, d);                                       \
            STEP(step, e);                                       \
            STEP(step, f);                                       \
            STEP(step, g);                                       \
            STEP(step, h);                                       \
            STEP(step, i);                                       \
            STEP(step, j);                                       \
            STEP(step, k);                                       \
            STEP(step, l);                                       \
        }                                                        \
    }

#define FMA256(c, a, b)   _mm256_fmadd_ps(a, b, c)
#define FMA512(c, a, b)   _mm512_fmadd_ps(a, b, c)
#define DOT_BF16(c, a, b) _mm512_dpbf16_ps(c, (__m512bh)(a), (__m512bh)(b))

PEAK(fma256, "avx2,fma", __m256, _mm256_setzero_ps(), FMA256)
PEAK(fma512, "avx512f", __m512, _mm512_setzero_ps(), FMA512)
PEAK(dot_bf16, "avx512f,avx512bf16", __m512, _mm512_setzero_ps(), DOT_BF16)
PEAK(dot_int8_256, "avx512f,avx512vl,avx512vnni", __m256i, _mm256_setzero_si256(), _mm256_dpbusd_epi32)
PEAK(dot_int8_512, "avx512f,avx512vnni", __m512i, _mm512_setzero_si512(), _mm512_dpbusd_epi32)

/* Four tiles of sums from two and two tiles of factors, as a matrix product uses them. (The asm is for gcc 12, which
 * believes that _tile_loadconfig reads eight bytes only.) */
#define TILES(name, isa, op)                            \
    __attribute__((target(isa))) static void name(void) \
    {                                                   \
        struct {                                        \
            uint8_t palette, start, reserved[14];       \
            uint16_t bytes[16];                         \
            uint8_t rows[16];                           \
        } shapes = {.palette = 1};                      \
        for (int i = 0; i < 8; i++) {                   \
            shapes.bytes[i] = 64;                       \
            shapes.rows[i] = 16;                        \
        }                                               \
        __asm__ volatile("" : "+m"(shapes));            \
        _tile_loadconfig(&shapes);                      \
        for (int round = 0; round < ROUNDS; round++) {  \
            op(0, 4, 6);                                \
            op(1, 4, 7);                                \
            op(2, 5, 6);                                \
            op(3, 5, 7);                                \
        }                                               \
        _tile_release();                                \
    }

TILES(tiles_bf16, "amx-tile,amx-bf16", _tile_dpbf16ps)
TILES(tiles_int8, "amx-tile,amx-int8", _tile_dpbusd)

/* Linux lets a process use tiles once it has asked; true if they are there for bit `bit` of what CPUID 7 says in edx.
 */
static bool may_use_tiles(int bit)
{
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };
    unsigned eax = 7, ebx, ecx = 0, edx;
    __asm__("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
    return (edx >> bit & 1) && syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
}

static void peak(const char *name, bool runs, void (*body)(void), double macs)
{
    double best = 1e9;
    if (!runs)
        return;
    for (int i = 0; i < REPEATS; i++) {
        const double begin = now();
        body();
        const double took = now() - begin;
        best = took < best ? took : best;
    }
    printf("{\"limit\": \"%s\", \"gmacs\": %.1f}\n", name, macs * ROUNDS / best * 1e-9);
}

/* ---- memory ---- */

/* Bytes a second of reading `bytes` bytes again and again, 64 MiB in all at least. */
__attribute__((target("avx2"))) static double read_speed(const char *data, size_t bytes)
{
    const size_t times = bytes < ((size_t)64 << 20) ? ((size_t)64 << 20) / bytes : 1;
    double best = 1e9;
    for (int i = 0; i < REPEATS; i++) {
        __m256i a = _mm256_setzero_si256(), b = a, c = a, d = a;
        const double begin = now();
        for (size_t t = 0; t < times; t++)
            for (const __m256i *at = (const void *)data; (const char *)at < data + bytes; at += 4) {
                a = _mm256_or_si256(a, _mm256_load_si256(at));
                b = _mm256_or_si256(b, _mm256_load_si256(at + 1));
                c = _mm256_or_si256(c, _mm256_load_si256(at + 2));
                d = _mm256_or_si256(d, _mm256_load_si256(at + 3));
                __asm__ volatile("" : "+x"(a), "+x"(b), "+x"(c), "+x"(d));
            }
        const double took = now() - begin;
        best = took < best ? took : best;
    }
    return (double)bytes * (double)times / best;
}

static void memory(void)
{
    const size_t kib[] = {24, 1024, 16384, 524288}, largest = (size_t)kib[3] << 10;
    char *data = aligned_alloc(64, largest);
    if (!data) {
        fprintf(stderr, "limits: out of memory\n");
        return;
    }
    memset(data, 1, largest);
    for (size_t i = 0; i < sizeof kib / sizeof *kib; i++)
        printf("{\"limit\": \"read %zu KiB\", \"gbytes\": %.1f}\n", kib[i], read_speed(data, kib[i] << 10) * 1e-9);
    free(data);
}

int main(void)
{
    const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl");
    const bool vnni = avx512 && __builtin_cpu_supports("avx512vnni");
    peak("f32 FMA, 256 bits", __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"), fma256, 8 * CHAINS);
    peak("f32 FMA, 512 bits", avx512, fma512, 16 * CHAINS);
    peak("bf16 dot, 512 bits", avx512 && __builtin_cpu_supports("avx512bf16"), dot_bf16, 32 * CHAINS);
    peak("int8 dot, 256 bits", vnni, dot_int8_256, 32 * CHAINS);
    peak("int8 dot, 512 bits", vnni, dot_int8_512, 64 * CHAINS);
    peak("bf16 AMX", may_use_tiles(CPUID_7_EDX_AMX_BF16), tiles_bf16, 4 * 16 * 16 * 32);
    peak("int8 AMX", may_use_tiles(CPUID_7_EDX_AMX_INT8), tiles_int8, 4 * 16 * 16 * 64);
    memory();
    return 0;
}
