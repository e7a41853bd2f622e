#ifndef LARGER_H
#define LARGER_H
/* larger.h: fmax, in a form that every compiler turns into vectors: gcc 12 for Arm breaks off over a largest of many.
 */
static inline double larger(double a, double b)
{
    return b > a ? b : a;
}
#endif
