/*
 * onednn.c: oneDNN behind library.h: matmul and depthwise convolution with weights in the layout it asks for. Products
 * in f32, bf16 -> f32 and u8 x s8 -> s32; convolutions in f32 and bf16 with bias and swish as a post-operation,
 * pictures in the layout it asks for too. Builds against versions 2 and 3.
 */
#include "library.h"

#include <dnnl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static dnnl_engine_t engine;
static dnnl_stream_t stream;

static void check(dnnl_status_t status, const char *what)
{
    if (status != dnnl_success) {
        fprintf(stderr, "oneDNN: %s: status %d\n", what, (int)status);
        exit(1);
    }
}
#define CHECK(call) check(call, #call)

/* ---- where the two interfaces differ ---- */

#if DNNL_VERSION_MAJOR >= 3
typedef const_dnnl_memory_desc_t description; /* never freed: the program is short */

static description describe(int rank, const dnnl_dims_t dims, dnnl_data_type_t type, dnnl_format_tag_t tag)
{
    dnnl_memory_desc_t made;
    CHECK(dnnl_memory_desc_create_with_tag(&made, rank, dims, type, tag));
    return made;
}

static dnnl_primitive_desc_t describe_product(description a, description b, description c)
{
    dnnl_primitive_desc_t made;
    return dnnl_matmul_primitive_desc_create(&made, engine, a, b, NULL, c, NULL) == dnnl_success ? made : NULL;
}

static dnnl_primitive_desc_t describe_depthwise(const description d[4], const dnnl_dims_t strides,
                                                const dnnl_dims_t before, const dnnl_dims_t after)
{
    const dnnl_dims_t dense = {0, 0};
    dnnl_primitive_attr_t attributes;
    dnnl_post_ops_t swish;
    dnnl_primitive_desc_t made;
    CHECK(dnnl_primitive_attr_create(&attributes));
    CHECK(dnnl_post_ops_create(&swish));
    CHECK(dnnl_post_ops_append_eltwise(swish, dnnl_eltwise_swish, 1.0f, 0.0f));
    CHECK(dnnl_primitive_attr_set_post_ops(attributes, swish));
    const dnnl_status_t status = dnnl_convolution_forward_primitive_desc_create(
        &made, engine, dnnl_forward_inference, dnnl_convolution_direct, d[0], d[1], d[2], d[3], strides, dense, before,
        after, attributes);
    return status == dnnl_success ? made : NULL;
}
#else
typedef const dnnl_memory_desc_t *description;

static description describe(int rank, const dnnl_dims_t dims, dnnl_data_type_t type, dnnl_format_tag_t tag)
{
    dnnl_memory_desc_t *made = malloc(sizeof *made);
    if (made)
        CHECK(dnnl_memory_desc_init_by_tag(made, rank, dims, type, tag));
    return made;
}

static dnnl_primitive_desc_t describe_product(description a, description b, description c)
{
    dnnl_matmul_desc_t product;
    dnnl_primitive_desc_t made;
    CHECK(dnnl_matmul_desc_init(&product, a, b, NULL, c));
    return dnnl_primitive_desc_create(&made, &product, NULL, engine, NULL) == dnnl_success ? made : NULL;
}

static dnnl_primitive_desc_t describe_depthwise(const description d[4], const dnnl_dims_t strides,
                                                const dnnl_dims_t before, const dnnl_dims_t after)
{
    dnnl_primitive_attr_t attributes;
    dnnl_post_ops_t swish;
    dnnl_convolution_desc_t convolution;
    dnnl_primitive_desc_t made;
    CHECK(dnnl_primitive_attr_create(&attributes));
    CHECK(dnnl_post_ops_create(&swish));
    CHECK(dnnl_post_ops_append_eltwise(swish, 1.0f, dnnl_eltwise_swish, 1.0f, 0.0f));
    CHECK(dnnl_primitive_attr_set_post_ops(attributes, swish));
    CHECK(dnnl_convolution_forward_desc_init(&convolution, dnnl_forward_inference, dnnl_convolution_direct, d[0], d[1],
                                             d[2], d[3], strides, before, after));
    return dnnl_primitive_desc_create(&made, &convolution, attributes, engine, NULL) == dnnl_success ? made : NULL;
}
#endif

/* ---- the same for both ---- */

enum { SOURCE, WEIGHTS, BIAS, RESULT, ROLES };

static struct {
    dnnl_primitive_t primitive;
    dnnl_memory_t memory[ROLES];
    dnnl_exec_arg_t arguments[ROLES];
    int used;
    description plain_result; /* f32, in the order that library_result gives */
} now;

static dnnl_memory_t allocate(description d)
{
    dnnl_memory_t made;
    CHECK(dnnl_memory_create(&made, d, engine, DNNL_MEMORY_ALLOCATE));
    return made;
}

static void reorder(dnnl_memory_t from, description from_description, dnnl_memory_t to, description to_description)
{
    dnnl_primitive_desc_t how;
    dnnl_primitive_t primitive;
    const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
    CHECK(dnnl_reorder_primitive_desc_create(&how, from_description, engine, to_description, engine, NULL));
    CHECK(dnnl_primitive_create(&primitive, how));
    CHECK(dnnl_primitive_execute(primitive, stream, 2, arguments));
    CHECK(dnnl_stream_wait(stream));
    CHECK(dnnl_primitive_destroy(primitive));
    CHECK(dnnl_primitive_desc_destroy(how));
}

/* One operand of the primitive, in the layout and type that it wants, with the floats of `plain` in it if there are. */
static void operand(dnnl_primitive_desc_t pd, int role, dnnl_query_t query, int argument, const float *values,
                    description plain)
{
    const description wanted = dnnl_primitive_desc_query_md(pd, query, role == BIAS ? 1 : 0);
    now.memory[role] = allocate(wanted);
    now.arguments[now.used++] = (dnnl_exec_arg_t){argument, now.memory[role]};
    if (values) {
        dnnl_memory_t given;
        CHECK(dnnl_memory_create(&given, plain, engine, (void *)(size_t)values));
        reorder(given, plain, now.memory[role], wanted);
        CHECK(dnnl_memory_destroy(given));
    }
}

static void forget(void)
{
    if (now.primitive)
        CHECK(dnnl_primitive_destroy(now.primitive));
    for (int role = 0; role < ROLES; role++)
        if (now.memory[role])
            CHECK(dnnl_memory_destroy(now.memory[role]));
    memset(&now, 0, sizeof now);
}

static dnnl_primitive_desc_t prepare_product(const problem *p, precision how)
{
    const dnnl_dim_t m = (dnnl_dim_t)p->m, k = (dnnl_dim_t)p->k, n = (dnnl_dim_t)p->n;
    const dnnl_dims_t a = {m, k}, b = {k, n}, c = {m, n};
    const dnnl_data_type_t types[][3] = {[F32] = {dnnl_f32, dnnl_f32, dnnl_f32},
                                         [BF16] = {dnnl_bf16, dnnl_bf16, dnnl_f32},
                                         [INT8] = {dnnl_u8, dnnl_s8, dnnl_s32}};
    const dnnl_primitive_desc_t pd =
        describe_product(describe(2, a, types[how][0], dnnl_ab), describe(2, b, types[how][1], dnnl_format_tag_any),
                         describe(2, c, types[how][2], dnnl_ab));
    if (!pd)
        return NULL;
    operand(pd, SOURCE, dnnl_query_src_md, DNNL_ARG_SRC, p->a, describe(2, a, dnnl_f32, dnnl_ab));
    operand(pd, WEIGHTS, dnnl_query_weights_md, DNNL_ARG_WEIGHTS, p->b, describe(2, b, dnnl_f32, dnnl_ba));
    operand(pd, RESULT, dnnl_query_dst_md, DNNL_ARG_DST, NULL, NULL);
    now.plain_result = describe(2, c, dnnl_f32, dnnl_ab);
    return pd;
}

static dnnl_primitive_desc_t prepare_depthwise(const problem *p, precision how)
{
    const dnnl_dim_t in = (dnnl_dim_t)p->in, out = (dnnl_dim_t)p->m, n = (dnnl_dim_t)p->n, k = (dnnl_dim_t)p->kernel;
    const dnnl_dim_t top = (dnnl_dim_t)padding_before(p), bottom = (dnnl_dim_t)padding(p) - top;
    const dnnl_dims_t source = {1, n, in, in}, weights = {n, 1, 1, k, k}, bias = {n}, result = {1, n, out, out};
    const dnnl_dims_t strides = {(dnnl_dim_t)p->stride, (dnnl_dim_t)p->stride}, before = {top, top},
                      after = {bottom, bottom};
    const dnnl_data_type_t type = how == F32 ? dnnl_f32 : dnnl_bf16;
    const description wanted[] = {describe(4, source, type, dnnl_format_tag_any),
                                  describe(5, weights, type, dnnl_format_tag_any), describe(1, bias, dnnl_f32, dnnl_a),
                                  describe(4, result, type, dnnl_format_tag_any)};
    const dnnl_primitive_desc_t pd = how == INT8 ? NULL : describe_depthwise(wanted, strides, before, after);
    if (!pd)
        return NULL;
    operand(pd, SOURCE, dnnl_query_src_md, DNNL_ARG_SRC, p->a, describe(4, source, dnnl_f32, dnnl_nhwc));
    operand(pd, WEIGHTS, dnnl_query_weights_md, DNNL_ARG_WEIGHTS, p->b, describe(5, weights, dnnl_f32, dnnl_decab));
    operand(pd, BIAS, dnnl_query_weights_md, DNNL_ARG_BIAS, p->bias, describe(1, bias, dnnl_f32, dnnl_a));
    operand(pd, RESULT, dnnl_query_dst_md, DNNL_ARG_DST, NULL, NULL);
    now.plain_result = describe(4, result, dnnl_f32, dnnl_nhwc);
    return pd;
}

const char *library_name(void)
{
    static char name[64];
    const dnnl_version_t *version = dnnl_version();
    snprintf(name, sizeof name, "oneDNN %d.%d.%d", version->major, version->minor, version->patch);
    return name;
}

bool library_prepare(const problem *p, precision how)
{
    if (!engine) {
        CHECK(dnnl_engine_create(&engine, dnnl_cpu, 0));
        CHECK(dnnl_stream_create(&stream, engine, dnnl_stream_default_flags));
    }
    forget();
    const dnnl_primitive_desc_t pd = p->kernel ? prepare_depthwise(p, how) : prepare_product(p, how);
    if (!pd)
        return false;
    CHECK(dnnl_primitive_create(&now.primitive, pd));
    CHECK(dnnl_primitive_desc_destroy(pd));
    return true;
}

void library_run(void)
{
    CHECK(dnnl_primitive_execute(now.primitive, stream, now.used, now.arguments));
    CHECK(dnnl_stream_wait(stream));
}

void library_result(float *c)
{
    dnnl_memory_t plain;
    description from;
    CHECK(dnnl_memory_get_memory_desc(now.memory[RESULT], &from));
    CHECK(dnnl_memory_create(&plain, now.plain_result, engine, c));
    reorder(now.memory[RESULT], from, plain, now.plain_result);
    CHECK(dnnl_memory_destroy(plain));
}
