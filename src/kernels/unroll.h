#ifndef AL_UNROLL_H
#define AL_UNROLL_H
/* unroll.h: how gcc and clang are told to unroll the loop that follows: all of it, or twice. */
#if defined(__clang__)
#define UNROLL   _Pragma("unroll")
#define UNROLL_2 _Pragma("unroll 2")
#else
#define UNROLL   _Pragma("GCC unroll 16")
#define UNROLL_2 _Pragma("GCC unroll 2")
#endif
#endif
