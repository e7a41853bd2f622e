/* training.c: see training.h. */
#include "model/training.h"

#include "base/tensor.h"

al_dense al_training_dense(const align_tensor *weight, const align_tensor *bias, const align_tensor *weight_gradient,
                           const align_tensor *bias_gradient, align_precision precision)
{
    return (al_dense){.in = (size_t)(align_tensor_elements(weight) / weight->shape[0]),
                      .out = (size_t)weight->shape[0],
                      .weight = weight->data,
                      .bias = bias ? bias->data : NULL,
                      .weight_gradient = al_tensor_floats(weight_gradient),
                      .bias_gradient = bias_gradient ? al_tensor_floats(bias_gradient) : NULL,
                      .precision = precision};
}
