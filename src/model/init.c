/* init.c: SplitMix64, the polar form of Box and Muller's transform, and the reference's rule for each kind of tensor.
 */
#include "model/init.h"

#include "base/hash.h"
#include "base/random.h"

#include <math.h>
#include <string.h>

/* ---- random numbers ---- */

/* One tensor's numbers, drawn in turn. */
typedef struct stream {
    uint64_t key, index;
} stream;

static stream stream_start(uint64_t seed, const char *name)
{
    const uint64_t hash = al_hash(AL_HASH_START, name, strlen(name));
    return (stream){al_random_mix(al_random_bits(seed, 0) ^ hash), 0};
}

/* In [-1, 1), a multiple of 2^-52. */
static double next_uniform(stream *s)
{
    return 2.0 * al_random_unit(s->key, s->index++) - 1.0;
}

/* ln x for 0 < x < 1: x = m 2^e with m near 1, ln m = 2 artanh((m - 1) / (m + 1)) as a series, |t| < 0.172. */
static double natural_log(double x)
{
    static const double ln2 = 0x1.62E42FEFA39EFp-1;
    static const double series[] = {1.0 / 23, 1.0 / 21, 1.0 / 19, 1.0 / 17, 1.0 / 15, 1.0 / 13,
                                    1.0 / 11, 1.0 / 9,  1.0 / 7,  1.0 / 5,  1.0 / 3,  1.0};
    int e;
    double m = frexp(x, &e);
    if (m < 0.70710678118654752) {
        m *= 2;
        e--;
    }
    const double t = (m - 1) / (m + 1), t2 = t * t;
    double sum = 0;
    for (size_t k = 0; k < sizeof series / sizeof *series; k++)
        sum = sum * t2 + series[k];
    return 2 * t * sum + e * ln2;
}

/* Two independent draws of N(0, 1): a point of the unit disc, its radius changed to a normal's. */
static void next_normal_pair(stream *s, double pair[2])
{
    double x, y, r2;
    do {
        x = next_uniform(s);
        y = next_uniform(s);
        r2 = x * x + y * y;
    } while (r2 >= 1 || r2 == 0);
    const double scale = sqrt(-2 * natural_log(r2) / r2);
    pair[0] = x * scale;
    pair[1] = y * scale;
}

void al_init_normal(float *out, size_t n, double range, uint64_t seed, const char *name)
{
    stream s = stream_start(seed, name);
    double pair[2] = {0, 0};
    for (size_t i = 0; i < n; i++) {
        if (i % 2 == 0)
            next_normal_pair(&s, pair);
        out[i] = (float)(range * pair[i % 2]);
    }
}

static void fill_uniform(float *out, size_t n, double bound, uint64_t seed, const char *name)
{
    stream s = stream_start(seed, name);
    for (size_t i = 0; i < n; i++)
        out[i] = (float)(bound * next_uniform(&s));
}

/* ---- the reference's rules ---- */

al_init al_init_from_config(const align_config *config, uint64_t seed)
{
    const align_text_config *text = &config->text_config;
    int64_t pad = text->has_pad_token_id ? text->pad_token_id : -1;
    if (text->has_pad_token_id && pad < 0)
        pad += text->vocab_size;
    return (al_init){seed, text->initializer_range, config->vision_config.initializer_range,
                     config->temperature_init_value, pad};
}

static void fill(float *out, size_t n, float value)
{
    for (size_t i = 0; i < n; i++)
        out[i] = value;
}

void al_init_param(void *out, const al_param *param, const al_init *init)
{
    const double range = param->owner == ALIGN_TOWER_VISION ? init->vision_range : init->text_range;
    size_t n = 1;
    for (int i = 0; i < param->rank; i++)
        n *= (size_t)param->shape[i];
    switch (param->kind) {
    case AL_PARAM_WEIGHT:
        al_init_normal(out, n, range, init->seed, param->name);
        break;
    case AL_PARAM_WORD: {
        const size_t width = (size_t)param->shape[1];
        al_init_normal(out, n, range, init->seed, param->name);
        if (init->pad_row >= 0)
            fill((float *)out + (size_t)init->pad_row * width, width, 0.0f);
        break;
    }
    case AL_PARAM_XAVIER:
        fill_uniform(out, n, sqrt(6.0 / (double)(param->shape[0] + param->shape[1])), init->seed, param->name);
        break;
    case AL_PARAM_ZERO:
    case AL_BUFFER_ZERO:
        fill(out, n, 0.0f);
        break;
    case AL_PARAM_ONE:
    case AL_BUFFER_ONE:
        fill(out, n, 1.0f);
        break;
    case AL_PARAM_TEMPERATURE:
        fill(out, n, (float)init->temperature);
        break;
    case AL_BUFFER_COUNT:
        memset(out, 0, sizeof(int64_t));
        break;
    }
}
