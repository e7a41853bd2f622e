"""Weights for a model that make every part of it matter.

Made for transformers 4.37.2, torch 2.15.0 (requirements.txt). A freshly initialised model hides mistakes: its norms are
the identity, its biases zero. Here running statistics lie well away from 0 and 1, biases count, activations neither die
nor explode, and the row of the pad token is not zero (a checkpoint may hold anything there and forward uses it).
"""

import math

import torch
from golden_io import uniform


def random_tensor(name, tensor, generator, scale):
    shape = tuple(tensor.shape)
    if name == "temperature":
        return tensor * uniform(generator, shape, 0.8, 1.2)
    if name.endswith("num_batches_tracked"):
        return torch.randint(1, 5000, shape, generator=generator)
    if name.endswith("running_var"):
        return uniform(generator, shape, 0.3, 2.0)
    noise = torch.randn(shape, generator=generator)
    if name.endswith("running_mean"):
        return 0.3 * noise
    if any(word in name for word in ("LayerNorm", "norm", "_bn")):
        return uniform(generator, shape, 0.5, 1.5) if name.endswith("weight") else 0.2 * noise
    if name.endswith("bias"):
        return 0.1 * noise
    if "embedding" in name and tensor.dim() == 2:
        return 0.7 * noise
    fan_in = math.prod(shape[1:])
    return noise * (scale * 1.3 / math.sqrt(fan_in))


def randomize(model, generator, scale=1.0):
    state = {name: random_tensor(name, tensor, generator, scale) for name, tensor in model.state_dict().items()}
    model.load_state_dict(state)
    return model
