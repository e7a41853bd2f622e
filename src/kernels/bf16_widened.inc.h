/*
 * bf16_widened.inc.h: a product_*.c of bf16 weights for CPUs that cannot multiply bf16, in the words of simd_*.h: half
 * the memory to read, then widened in registers. Activations stay f32. PRODUCT is its name.
 */
#include "kernels/activate.inc.h"
#include "kernels/finish.inc.h"

#define STEP_BYTES sizeof(uint16_t)

static inline vf v_columns(const char *weights)
{
    return v_load_bf16(weights);
}

#include "kernels/f32.inc.h"

#include "kernels/bf16_panel.inc.h"

const al_product PRODUCT = {
    .name = "bf16 weights, widened",
    .element = AL_BF16,
    .group = GROUP,
    .k_multiple = GROUP,
    .pack = pack_panel,
    .gemm = gemm,
};
