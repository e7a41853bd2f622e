#!/usr/bin/env python3
"""Adds gradients to the model folders of make_models.py: FOLDER/gradients/<run>.safetensors.

Made with transformers 4.37.2, torch 2.15.0, safetensors 0.8.0 (requirements.txt).

    python make_gradients.py ../golden/models                      the committed set (seed 1): the cases of CASES
    python make_gradients.py --seed 77 --all /tmp/fresh            every model in a folder, with inputs of another seed
    ALIGN_GOLDENS=/tmp/fresh build/tests/test_gradients            checks the library against them

A run is model(**inputs, return_loss=True), loss.backward(), with every dropout rate 0, in float64, rounded once. `train`
is in training mode: batch norm by the batch's statistics, and the updated buffers are kept. `eval` and the runs of
OPTIONS are in evaluation mode: batch norm is a constant. What the reference gives in float32 is compared with that: a
tensor in which float32 itself strays by more than NOISE of the largest magnitude would test nobody's code, and its
inputs are drawn again. Gradients that are zero but for rounding (biases of keys, what a batch norm takes out again) are
measured by the largest gradient of all: `scale` in the metadata, with which the test does the same.
"""

import argparse
import copy
import os
import shutil
import sys
import warnings

import make_models  # noqa: F401  (adds selu to the reference)
import torch
import transformers
from golden_io import Seeds, flatten, folder_bytes, save_run
from safetensors.torch import load_file
from torch import nn
from transformers import AlignModel

NOISE = 2e-5  # of a tensor's largest magnitude
ZERO = 3e-7  # of the largest gradient of all: what is smaller may be zero
ATTEMPTS = 50

CASES = (
    "tiny odd_depth_width width_roundup relative_key relative_key_query no_positions decoder_causal decoder_cross "
    "no_text_layers pool_max depthwise_padding even_kernels hot_temperature f16 act_gelu act_gelu_10 act_gelu_fast "
    "act_gelu_new act_laplace act_leaky_relu act_linear act_mish act_quick_gelu act_relu act_relu2 act_relu6 act_selu "
    "act_sigmoid act_silu act_tanh"
).split()

# Runs beside `train` and `eval`: what else forward() takes. Each is for one model, or where it matters.
OPTIONS = {
    "tiny": ("head_mask", "positions", "embeds", "mask_3d", "mask_fractional", "mask_zero_row"),
    "relative_key": ("head_mask", "mask_3d", "positions"),
    "relative_key_query": ("head_mask", "mask_3d", "positions"),
    "decoder_causal": ("mask_3d", "mask_zero_row"),
}


class IllConditioned(Exception):
    """float32 cannot compute this well enough to test with."""


class Inputs:
    """Random inputs like those that the folder's forward run has."""

    def __init__(self, folder, model, generator):
        self.config = model.config.text_config
        self.generator = generator
        like = load_file(os.path.join(folder, "runs", "forward.safetensors"))
        self.batch, self.tokens = max(2, like["input_ids"].shape[0]), like["input_ids"].shape[1]
        mask = torch.ones(self.batch, self.tokens, dtype=torch.long)
        mask[1, self.tokens - 3 :] = 0
        ids = torch.randint(0, self.config.vocab_size, (self.batch, self.tokens), generator=generator)
        ids[1, self.tokens - 3 :] = (self.config.pad_token_id or 0) % self.config.vocab_size
        if self.batch > 2:
            mask[2, 0] = mask[2, 3] = 0
        types = torch.randint(0, self.config.type_vocab_size, ids.shape, generator=generator)
        shape = (self.batch, *like["pixel_values"].shape[1:])
        pixels = torch.randn(shape, generator=generator)
        self.plain = dict(input_ids=ids, attention_mask=mask, token_type_ids=types, pixel_values=pixels)

    def train(self):
        return self.plain

    eval = train

    def head_mask(self):
        shape = (self.config.num_hidden_layers, self.config.num_attention_heads)
        return dict(self.plain, head_mask=torch.rand(shape, generator=self.generator))

    def positions(self):
        limit = self.config.max_position_embeddings
        return dict(self.plain, position_ids=torch.randint(0, limit, (self.batch, self.tokens), generator=self.generator))

    def embeds(self):
        rest = {name: tensor for name, tensor in self.plain.items() if name != "input_ids"}
        shape = (self.batch, self.tokens, self.config.hidden_size)
        return dict(rest, inputs_embeds=torch.randn(shape, generator=self.generator))

    def mask_3d(self):
        mask = (torch.rand((self.batch, self.tokens, self.tokens), generator=self.generator) > 0.3).long()
        mask[:, :, 0] = 1
        return dict(self.plain, attention_mask=mask)

    def mask_fractional(self):
        mask = torch.rand((self.batch, self.tokens), generator=self.generator)
        mask[:, 0] = 1
        return dict(self.plain, attention_mask=mask)

    def mask_zero_row(self):
        mask = self.plain["attention_mask"].clone()
        mask[0] = 0
        return dict(self.plain, attention_mask=mask)


def widen(tensors):
    return {name: tensor.double() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}


def run(model, inputs, training):
    """Everything that comes of one step, by the names `align forward --gradients` writes."""
    model = copy.deepcopy(model).train(training)
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    output = model(**inputs, return_loss=True)
    output.loss.backward()
    kept = {key: value for key, value in flatten(output).items() if not key.startswith("text_model_output")}
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            kept["grad." + name] = parameter.grad
    if training:
        kept.update({"buffer." + name: buffer for name, buffer in model.named_buffers() if "batch" in name or "running" in name})
    return {name: tensor.detach() for name, tensor in kept.items()}


def largest(tensor):
    return tensor.double().abs().max().item() if tensor.numel() else 0.0


def check_noise(name, found, truth, scale):
    for key, tensor in found.items():
        strays = largest(tensor.double() - truth[key].double())
        limit = NOISE * largest(truth[key]) + (ZERO * scale if key.startswith("grad.") else 0.0)
        if not strays <= limit:
            raise IllConditioned(f"{name}: {key} strays by {strays:.1e}, largest {largest(truth[key]):.1e}")


def try_case(folder, case, seeds, attempt):
    model = AlignModel.from_pretrained(folder)
    wide = copy.deepcopy(model).double()
    inputs = Inputs(folder, model, seeds.generator(f"{case}/gradients/{attempt}"))
    for name in ("train", "eval", *OPTIONS.get(case, ())):
        given, training = getattr(inputs, name)(), name == "train"
        truth = run(wide, widen(given), training)
        scale = max(largest(tensor) for key, tensor in truth.items() if key.startswith("grad."))
        check_noise(name, run(model, given, training), truth, scale)
        kept = {key: tensor.float() if tensor.is_floating_point() else tensor for key, tensor in truth.items()}
        save_run(folder, name, "gradients", given, kept, place="gradients", train=training,
                 scale=repr(scale))


def make_case(folder, case, seeds):
    for attempt in range(ATTEMPTS):
        shutil.rmtree(os.path.join(folder, "gradients"), ignore_errors=True)
        try:
            try_case(folder, case, seeds, attempt)
            print(f"{case:24s} {folder_bytes(os.path.join(folder, 'gradients')) / 1024:7.1f} KiB"
                  + (f" (attempt {attempt + 1})" if attempt else ""), flush=True)
            return
        except (IllConditioned, ValueError) as error:
            reason = error
    shutil.rmtree(os.path.join(folder, "gradients"), ignore_errors=True)
    print(f"{case}: none ({reason})")


def is_whole_model(folder):
    return os.path.isfile(os.path.join(folder, "runs", "forward.safetensors"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--all", action="store_true", help="every model of the folder")
    parser.add_argument("--only", default="", help="comma-separated names of cases")
    parser.add_argument("folder", help="what make_models.py wrote")
    args = parser.parse_args()

    warnings.filterwarnings("ignore")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    seeds = Seeds(args.seed)
    names = sorted(os.listdir(args.folder)) if args.all else CASES
    for case in names if not args.only else args.only.split(","):
        if is_whole_model(os.path.join(args.folder, case)):
            make_case(os.path.join(args.folder, case), case, seeds)
    print(f"{args.folder}: {folder_bytes(args.folder) / 1024:.0f} KiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
