/* blas.c: OpenBLAS and BLIS behind library.h: cblas_sgemm, which packs b anew in every call. */
#include "library.h"

#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
    problem p;
    float *c;
} now;

#ifdef WITH_BLIS
/* <blis.h> itself wants the compiler to have OpenMP. */
const char *bli_info_get_version_str(void);
int bli_arch_query_id(void);
const char *bli_arch_string(int id);

const char *library_name(void)
{
    static char name[96];
    snprintf(name, sizeof name, "BLIS %s, %s", bli_info_get_version_str(), bli_arch_string(bli_arch_query_id()));
    return name;
}
#else
const char *library_name(void)
{
    static char name[96];
    char version[16] = "";
    sscanf(openblas_get_config(), "OpenBLAS %15s", version);
    snprintf(name, sizeof name, "OpenBLAS %s, %s", version, openblas_get_corename());
    return name;
}
#endif

bool library_prepare(const problem *p, precision how)
{
    if (how != F32 || p->kernel)
        return false;
    free(now.c);
    now.p = *p;
    now.c = calloc(p->m * p->n, sizeof *now.c);
    return now.c != NULL;
}

void library_run(void)
{
    const int m = (int)now.p.m, n = (int)now.p.n, k = (int)now.p.k;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, m, n, k, 1.0f, now.p.a, k, now.p.b, k, 0.0f, now.c, n);
}

void library_result(float *c)
{
    memcpy(c, now.c, now.p.m * now.p.n * sizeof *c);
}
