#!/usr/bin/env python3
"""Makes tests/golden/vision_gradients: vision towers with their gradients.

Made with transformers 4.37.2, torch 2.15.0, safetensors 0.8.0 (requirements.txt).

    python make_vision_gradients.py --out ../golden/vision_gradients

A case is a folder: the tower's checkpoint, and what the reference makes of pictures and of a gradient of pooler_output,
in float64: `batch.safetensors` in train mode without drop connect, with the running statistics after it;
`running.safetensors` in eval mode. Kernels, strides, paddings and widths are those that fit nothing; the pictures of
`bands` are too large to be filtered at once.
"""

import argparse
import os
import shutil

import torch
from golden_io import Seeds, save_tensors
from random_weights import randomize
from transformers import AlignVisionConfig, AlignVisionModel

# float32 may stray by so much of a gradient's largest magnitude, or weights and inputs are drawn again; a gradient this
# much smaller than the largest of all is zero in exact arithmetic.
NOISE = 1e-5
ZERO = 1e-9
ATTEMPTS = 100

BASE = dict(
    width_coefficient=0.25, depth_coefficient=1.0, depth_divisor=4, hidden_dim=64, drop_connect_rate=0.0, image_size=24
)

CASES = dict(
    paper=dict(
        kernel_sizes=[3, 5, 3], in_channels=[32, 16, 24], out_channels=[16, 24, 40], strides=[1, 2, 2],
        num_block_repeats=[1, 2, 2], expand_ratios=[1, 6, 4], size=(33, 26), batch=3,
    ),
    odd=dict(
        kernel_sizes=[7, 1, 2, 4], in_channels=[32, 12, 20, 28], out_channels=[12, 20, 28, 36], strides=[2, 2, 1, 2],
        num_block_repeats=[1, 2, 1, 1], expand_ratios=[1, 3, 1, 2], depth_divisor=5, num_channels=2, pooling_type="max",
        hidden_act="gelu", size=(43, 38), batch=2, depthwise_padding=[1],
    ),
    no_expansion=dict(
        kernel_sizes=[5, 3], in_channels=[32, 88], out_channels=[88, 88], strides=[1, 2], num_block_repeats=[2, 2],
        expand_ratios=[1, 1], hidden_act="relu", batch_norm_momentum=0.3, size=(15, 18), batch=2, depthwise_padding=[2],
    ),
    wide=dict(
        kernel_sizes=[3, 5], in_channels=[32, 16], out_channels=[16, 100], strides=[2, 1], num_block_repeats=[1, 2],
        expand_ratios=[4, 6], hidden_act="sigmoid", size=(29, 31), batch=2,
    ),
    bands=dict(
        kernel_sizes=[3, 5], in_channels=[32, 8], out_channels=[8, 12], strides=[1, 2], num_block_repeats=[1, 2],
        expand_ratios=[1, 3], num_channels=1, size=(140, 184), batch=1,
    ),
)  # fmt: skip


class IllConditioned(Exception):
    """float32 cannot compute these gradients well enough to test with."""


def gradients(model, pixels, pooled_gradient, train):
    model.train(train)
    model.zero_grad()
    output = model(pixels).pooler_output
    output.backward(pooled_gradient)
    tensors = dict(pixel_values=pixels, pooled_gradient=pooled_gradient, pooler_output=output.detach())
    tensors.update({f"grad.{name}": p.grad.clone() for name, p in model.named_parameters()})
    if train:
        tensors.update({f"buffer.{name}": b for name, b in model.named_buffers()})
    return tensors


def check_noise(tensors, truth):
    """Gradients that are zero but for rounding are left to whoever compares."""
    largest = max(tensor.abs().max() for name, tensor in truth.items() if name.startswith("grad."))
    for name, tensor in truth.items():
        scale = tensor.abs().max()
        if name.startswith("grad.") and scale > ZERO * largest:
            strays = (tensors[name].double() - tensor).abs().max() / scale
            if strays > NOISE:
                raise IllConditioned(f"{name} strays by {strays:.1e}")


def make(name, options, seeds, attempt, out):
    folder = os.path.join(out, name)
    shutil.rmtree(folder, ignore_errors=True)
    options = dict(BASE, **options)
    size, batch = options.pop("size"), options.pop("batch")
    weights, inputs = (seeds.generator(f"{name}/{attempt}/{what}") for what in ("weights", "inputs"))
    model = randomize(AlignVisionModel(AlignVisionConfig(**options)), weights)
    model.save_pretrained(folder)
    model = AlignVisionModel.from_pretrained(folder)
    pixels = torch.randn((batch, model.config.num_channels, *size), generator=inputs)
    pooled_gradient = torch.randn(model(pixels).pooler_output.shape, generator=inputs)
    for file, train in (("running", False), ("batch", True)):
        narrow, wide = AlignVisionModel.from_pretrained(folder), AlignVisionModel.from_pretrained(folder).double()
        truth = gradients(wide, pixels.double(), pooled_gradient.double(), train)
        check_noise(gradients(narrow, pixels, pooled_gradient, train), truth)
        rounded = {key: t.float() if t.is_floating_point() else t for key, t in truth.items()}
        save_tensors(rounded, os.path.join(folder, file + ".safetensors"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for name, options in CASES.items():
        for attempt in range(ATTEMPTS):
            try:
                make(name, options, Seeds(arguments.seed), attempt, arguments.out)
                break
            except IllConditioned as error:
                print(f"{name}, attempt {attempt}: {error}")
        else:
            raise SystemExit(f"{name}: no attempt is well conditioned")


if __name__ == "__main__":
    main()
