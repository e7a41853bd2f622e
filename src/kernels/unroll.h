#ifndef AL_UNROLL_H
#define AL_UNROLL_H
/*
 * unroll.h: how gcc and clang are told to unroll the loop that follows, all of it or twice, and to compute addresses
 * from a pointer anew: they forget what they know of it, and keep no others in registers instead.
 */
#if defined(__clang__)
#define UNROLL   _Pragma("unroll")
#define UNROLL_2 _Pragma("unroll 2")
#else
#define UNROLL   _Pragma("GCC unroll 16")
#define UNROLL_2 _Pragma("GCC unroll 2")
#endif

#define FORGET(pointer) __asm__("" : "+r"(pointer))
#endif
