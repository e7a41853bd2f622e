#ifndef AL_F32_PARTS_H
#define AL_F32_PARTS_H
/*
 * f32_parts.h: f32 numbers as sums of three bf16 numbers of eight significant bits each, x = high + middle + low
 * exactly, in the words of simd_avx512.h.
 */
#include "kernels/unroll.h"

#define PARTS 3

/* To the nearest, so that what is left out of a product is as often above as below. */
static inline vf round_to_bf16(vf x)
{
    const __m512i half = _mm512_set1_epi32(0x8000), upper = _mm512_set1_epi32((int)0xffff0000);
    return _mm512_castsi512_ps(_mm512_and_si512(_mm512_add_epi32(_mm512_castps_si512(x), half), upper));
}

/* The parts as f32 numbers whose low 16 bits are zero. (The low part of a number below 2^-110 may have more bits, which
 * tiles would take for 0.) */
static inline void split(vf x, vf part[PARTS])
{
    part[0] = round_to_bf16(x);
    const vf rest = v_sub(x, part[0]);
    part[1] = round_to_bf16(rest);
    part[2] = v_sub(rest, part[1]);
}

/* One part of a number and its neighbour along k, from what split has made of both: the pairs that tiles multiply. */
static inline __m512i pair_of(vf even, vf odd)
{
    return _mm512_mask_blend_epi16(0xaaaaaaaa, _mm512_srli_epi32(_mm512_castps_si512(even), 16),
                                   _mm512_castps_si512(odd));
}
#endif
