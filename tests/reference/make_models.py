#!/usr/bin/env python3
"""Makes tests/golden/models: small checkpoints with what the reference computes from them.

Made with transformers 4.37.2, torch 2.15.0, safetensors 0.8.0, numpy 1.26.4, Python 3.11 (requirements.txt).

    python make_models.py --out ../golden/models              the committed set (seed 1)
    python make_models.py --seed 77 --random 30 --out /tmp/g  other weights and inputs, and 30 models of random structure
    ALIGN_GOLDENS=/tmp/g build/tests/test_golden              checks the library against them

The reference runs in float32 with eager attention on one thread, and once more in float64: where float32 itself strays
by more than NOISE of a tensor's largest magnitude (a small difference of large numbers), weights and inputs are drawn
again, for such a tensor would test nobody's code. make_gradients.py adds gradients to the same folders.
"""

import argparse
import copy
import math
import os
import shutil
import sys
import warnings

import checkpoint_forms
import torch
import transformers
from golden_io import Seeds, flatten, folder_bytes, read_json, save_run
from model_cases import named_cases, random_case
from random_weights import randomize
from torch import nn
from transformers import AlignConfig, AlignModel, AlignTextModel
from transformers.activations import ACT2FN
from transformers.models.align.modeling_align import round_filters


class Selu(nn.Module):
    """selu by its formula (Klambauer et al. 2017): the reference's documentation lists it, its table lacks it."""

    ALPHA = 1.6732632423543772848170429916717
    SCALE = 1.0507009873554804934193349852946

    def forward(self, x):
        return self.SCALE * torch.where(x > 0, x, self.ALPHA * torch.expm1(x.clamp(max=0)))


ACT2FN["selu"] = Selu

NOISE = 3e-6
ATTEMPTS = 50


class IllConditioned(Exception):
    """float32 cannot compute this well enough to test with."""


def widen(tensors):
    return {name: tensor.double() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}


def check_noise(name, outputs, truth):
    for key, tensor in outputs.items():
        largest = truth[key].abs().max().item() if tensor.numel() else 0.0
        strays = (tensor.double() - truth[key]).abs().max().item() if tensor.numel() else 0.0
        if not math.isfinite(largest) or not strays <= NOISE * largest:
            raise IllConditioned(f"{name}: {key} strays by {strays / largest if largest else strays:.1e}")


class Maker:
    """Makes one case: the folder, then every run asked for."""

    def __init__(self, case, seeds, out, attempt):
        self.case = case
        self.seeds = seeds
        self.seed_name = f"{case.name}/{attempt}"
        self.folder = os.path.join(out, case.name)
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        self.save_checkpoint()
        self.model = AlignModel.from_pretrained(self.folder).eval()
        self.wide_model = copy.deepcopy(self.model).double()
        self.generator = seeds.generator(self.seed_name + "/inputs")
        self.inputs = self.make_inputs()

    def save_checkpoint(self):
        case = self.case
        config = AlignConfig(text_config=case.text_config(), vision_config=case.vision_config(), **case.top)
        config.projection_dim = round_filters(config.vision_config, config.vision_config.out_channels[-1])
        torch.manual_seed(self.seeds.number(self.seed_name) % 2**31)
        model = randomize(AlignModel(config), self.seeds.generator(self.seed_name + "/weights"), case.weight_scale)
        model.to(getattr(torch, case.dtype)).save_pretrained(self.folder, **case.save)
        if case.rewrite:
            getattr(checkpoint_forms, case.rewrite)(self.folder)

    def make_inputs(self):
        """Ids, types and pictures; row 1 of the mask is padded on the right, row 2 has holes."""
        batch, tokens = self.case.batch, self.case.tokens
        config = self.model.config
        ids = self.random_ids(batch, tokens)
        mask = torch.ones(batch, tokens, dtype=torch.long)
        if batch > 1:
            mask[1, tokens - 3 :] = 0
            ids[1, tokens - 3 :] = (config.text_config.pad_token_id or 0) % config.text_config.vocab_size
        if batch > 2:
            mask[2, 0] = mask[2, 3] = 0
        types = torch.randint(0, config.text_config.type_vocab_size, (batch, tokens), generator=self.generator)
        pictures = self.random_pictures(batch, *self.case.size)
        return dict(input_ids=ids, attention_mask=mask, token_type_ids=types, pixel_values=pictures)

    def random_ids(self, batch, tokens):
        return torch.randint(4, self.model.config.text_config.vocab_size, (batch, tokens), generator=self.generator)

    def random_pictures(self, batch, height, width):
        channels = self.model.config.vision_config.num_channels
        return torch.randn((batch, channels, height, width), generator=self.generator)

    @property
    def text_inputs(self):
        return {name: tensor for name, tensor in self.inputs.items() if name != "pixel_values"}

    # ---- the runs ----

    def details(self):
        return {} if self.case.brief else dict(output_hidden_states=True, output_attentions=self.case.attentions)

    def keep(self, name, call, inputs, function, **flags):
        """Keeps what function(model, inputs) gives in float32 as a run."""
        outputs = flatten(function(self.model, inputs))
        check_noise(name, outputs, flatten(function(self.wide_model, widen(inputs))))
        if self.case.brief:
            outputs = {key: value for key, value in outputs.items() if "model_output" not in key}
        save_run(self.folder, name, call, inputs, outputs, **flags)

    def keep_forward(self, name, inputs, **flags):
        self.keep(name, "forward", inputs, lambda model, given: model(**given, **flags), **flags)

    def keep_text(self, name, inputs, **flags):
        self.keep(name, "text", inputs, lambda model, given: model.text_model(**given, **flags), **flags)

    def keep_vision(self, name, inputs, **flags):
        self.keep(name, "vision", inputs, lambda model, given: model.vision_model(**given, **flags), **flags)

    def run_forward(self):
        self.keep_forward("forward", self.inputs, return_loss=True, **self.details())

    def run_fewer_texts(self):
        fewer = {name: tensor[:1] for name, tensor in self.text_inputs.items()}
        self.keep_forward("fewer_texts", dict(fewer, pixel_values=self.random_pictures(3, *self.case.size)))

    def run_text_features(self):
        self.keep("text_features", "text_features", self.text_inputs,
                  lambda model, given: {"text_features": model.get_text_features(**given)})

    def run_image_features(self):
        self.keep("image_features", "image_features", dict(pixel_values=self.random_pictures(1, *self.case.size)),
                  lambda model, given: {"image_features": model.get_image_features(**given)})

    def random_head_mask(self):
        text = self.model.config.text_config
        shape = (text.num_hidden_layers, text.num_attention_heads)
        kept = torch.rand(shape, generator=self.generator) > 0.4
        return kept.float() * torch.rand(shape, generator=self.generator)

    def run_head_mask(self):
        self.keep_text("head_mask", dict(self.text_inputs, head_mask=self.random_head_mask()), output_attentions=True)

    def run_head_mask_row(self):
        self.keep_text("head_mask_row", dict(self.text_inputs, head_mask=self.random_head_mask()[0].clone()))

    def run_ids_only(self):
        self.keep_text("ids_only", dict(input_ids=self.inputs["input_ids"]))

    def random_positions(self, *shape):
        limit = self.model.config.text_config.max_position_embeddings
        return torch.randint(0, limit, shape, generator=self.generator)

    def run_position_ids(self):
        positions = self.random_positions(self.case.batch, self.case.tokens)
        self.keep_text("position_ids", dict(self.text_inputs, position_ids=positions))

    def run_position_ids_row(self):
        positions = self.random_positions(1, self.case.tokens)
        self.keep_text("position_ids_row", dict(self.text_inputs, position_ids=positions))

    def run_position_ids_flat(self):
        positions = self.random_positions(self.case.tokens)
        self.keep_text("position_ids_flat", dict(self.text_inputs, position_ids=positions))

    def run_inputs_embeds(self):
        shape = (self.case.batch, self.case.tokens, self.model.config.text_config.hidden_size)
        embeds = torch.randn(shape, generator=self.generator)
        self.keep_text("inputs_embeds", dict(inputs_embeds=embeds, attention_mask=self.inputs["attention_mask"]))

    def keep_masked(self, name, mask):
        inputs = dict(input_ids=self.inputs["input_ids"], attention_mask=mask)
        self.keep_text(name, inputs, output_hidden_states=True, output_attentions=True)

    def random_numbers(self, *shape):
        return torch.rand(shape, generator=self.generator)

    def run_mask_3d(self):
        batch, tokens = self.case.batch, self.case.tokens
        mask = (self.random_numbers(batch, tokens, tokens) > 0.3).long()
        mask[:, :, 0] = 1
        self.keep_masked("mask_3d", mask)

    def run_mask_zero_row(self):
        mask = self.inputs["attention_mask"].clone()
        mask[0] = 0
        self.keep_masked("mask_zero_row", mask)

    def run_mask_fractional(self):
        mask = self.random_numbers(self.case.batch, self.case.tokens)
        mask[:, 0] = 1
        self.keep_masked("mask_fractional", mask)

    def run_mask_two(self):
        """A mask value of 2 gives that key all the weight."""
        mask = self.inputs["attention_mask"].clone()
        mask[:, 1] = 2
        self.keep_masked("mask_two", mask)

    def run_one_token(self):
        self.keep_text("one_token", dict(input_ids=self.random_ids(1, 1)), output_attentions=True)

    def run_longest(self):
        tokens = self.model.config.text_config.max_position_embeddings
        self.keep_text("longest", dict(input_ids=self.random_ids(1, tokens)), output_attentions=True)

    def run_no_pooler(self):
        text = AlignTextModel(self.model.config.text_config, add_pooling_layer=False).eval()
        text.load_state_dict(self.model.text_model.state_dict(), strict=False)
        outputs = flatten(text(**self.text_inputs))
        save_run(self.folder, "no_pooler", "text", self.text_inputs, outputs, no_pooler=True, tower="text")

    def run_other_sizes(self):
        height, width = self.case.size
        self.keep_vision("other_sizes", dict(pixel_values=self.random_pictures(1, height + 3, width - 1)),
                         output_hidden_states=not self.case.brief)

    def run_one_row_more(self):
        height, width = self.case.size
        self.keep_vision("one_row_more", dict(pixel_values=self.random_pictures(1, height + 1, width)))

    def save_towers(self, out):
        """The two towers of this model saved alone, each with one run."""
        for tower, inputs in (("text", self.text_inputs), ("vision", dict(pixel_values=self.inputs["pixel_values"]))):
            folder = os.path.join(out, f"{self.case.name}_{tower}")
            shutil.rmtree(folder, ignore_errors=True)
            model = getattr(self.model, tower + "_model")
            model.save_pretrained(folder)
            save_run(folder, tower, tower, inputs, flatten(model(**inputs)), tower=tower)


def check_config(maker):
    """The folder must say what the case says: a default that swallowed a key would hide it from every test."""
    config = read_json(os.path.join(maker.folder, "config.json"))
    text = maker.model.config.text_config
    for key, value in maker.case.text.items():
        assert getattr(text, key) == value, (maker.case.name, key)
    assert config["model_type"] == "align"


def check_lengths(maker):
    """Embeddings of length 1: float32 did not overflow on the way to them, as it does silently."""
    output = maker.model(**maker.inputs)
    lengths = torch.cat([output.text_embeds, output.image_embeds]).norm(dim=1)
    if not (lengths - 1).abs().max().item() <= 1e-4:
        raise IllConditioned("an embedding's length overflowed")


def try_case(case, seeds, out, attempt):
    maker = Maker(case, seeds, out, attempt)
    check_config(maker)
    with torch.no_grad():
        check_lengths(maker)
        for run in ("forward", *case.runs):
            getattr(maker, "run_" + run)()
        if case.name == "tiny":
            maker.save_towers(out)
    again = f" (attempt {attempt + 1})" if attempt else ""
    print(f"{case.name:24s} {folder_bytes(maker.folder) / 1024:7.1f} KiB{again}", flush=True)


def make_case(case, seeds, out):
    for attempt in range(ATTEMPTS):
        try:
            try_case(case, seeds, out, attempt)
            return
        except IllConditioned as error:
            reason = error
    shutil.rmtree(os.path.join(out, case.name), ignore_errors=True)
    raise IllConditioned(f"{case.name}: {ATTEMPTS} attempts, {reason}")


def make_random_cases(count, seeds, out):
    """Draws until enough models run: a random net may be too deep for its pictures, or too wild for float32."""
    made, number = 0, 0
    while made < count:
        case = random_case(number, seeds.seed)
        try:
            try_case(case, seeds, out, 0)
            made += 1
        except (RuntimeError, ValueError, IllConditioned) as error:
            shutil.rmtree(os.path.join(out, case.name), ignore_errors=True)
            print(f"{case.name}: drawn again ({str(error)[:70]})")
        number += 1


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", required=True)
    parser.add_argument("--only", default="", help="comma-separated names of cases")
    parser.add_argument("--random", type=int, default=0, metavar="N", help="also N models of random structure")
    args = parser.parse_args()

    warnings.filterwarnings("ignore")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    seeds = Seeds(args.seed)
    only = {name for name in args.only.split(",") if name}
    for case in named_cases():
        if not only or case.name in only:
            make_case(case, seeds, args.out)
    make_random_cases(args.random, seeds, args.out)
    print(f"{args.out}: {folder_bytes(args.out) / 1024:.0f} KiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
