#!/usr/bin/env python3
"""Makes tests/golden/text_gradients: gradients of the text tower by every parameter of it.

Made with transformers 4.37.2, torch 2.15.0, safetensors 0.8.0, numpy 1.26.4, Python 3.11 (requirements.txt).

    python make_text_gradients.py ../golden/models ../golden/text_gradients
    python make_text_gradients.py --all /tmp/fresh /tmp/text_gradients     every run of a text in another set of models

The loss is the sum of the first tokens' last states times random numbers, `gradient`; computed in float64 with every
dropout rate 0, and rounded once. A file is <model>.<run>.safetensors, with the inputs of that run of that model.
"""

import argparse
import os

from golden_io import INPUT_NAMES, Seeds, read_json, save_tensors
from make_models import widen  # noqa: F401  (registers selu, too)
import torch
from safetensors.torch import load_file
from transformers import AlignModel

# what each shows: a run of a model whose text tower has something of its own
RUNS = (
    ("tiny", "forward"),
    ("tiny", "head_mask"),
    ("tiny", "inputs_embeds"),
    ("tiny", "mask_3d"),
    ("tiny", "mask_fractional"),
    ("tiny", "mask_zero_row"),
    ("tiny", "position_ids"),
    ("act_selu", "forward"),
    ("act_gelu_new", "forward"),
    ("decoder_causal", "forward"),
    ("decoder_cross", "forward"),
    ("no_positions", "forward"),
    ("no_text_layers", "forward"),
    ("pad_last", "forward"),
    ("relative_key", "forward"),
    ("relative_key", "head_mask"),
    ("relative_key", "mask_3d"),
    ("relative_key_query", "forward"),
)


def all_runs(models):
    for model in sorted(os.listdir(models)):
        if read_json(os.path.join(models, model, "config.json"))["model_type"] != "align":
            continue  # a tower alone
        for run in sorted(os.listdir(os.path.join(models, model, "runs"))):
            yield model, run.removesuffix(".safetensors")


def keep_gradients(models, model_name, run, out):
    folder = os.path.join(models, model_name)
    tensors = load_file(os.path.join(folder, "runs", run + ".safetensors"))
    inputs = {name: tensors[name] for name in INPUT_NAMES if name in tensors and name != "pixel_values"}
    if not inputs:
        return
    text = AlignModel.from_pretrained(folder, torch_dtype=torch.float32).double().eval().text_model
    states = text(**widen(inputs)).last_hidden_state[:, 0]
    generator = Seeds(1).generator(f"{model_name}/{run}")
    gradient = torch.randn(states.shape, generator=generator)
    (states * gradient.double()).sum().backward()
    kept = {"gradient": gradient, "first_states": states.float()}
    for name, parameter in text.named_parameters():
        if parameter.grad is not None:
            kept[f"grad.text_model.{name}"] = parameter.grad.float()
    save_tensors({**inputs, **kept}, os.path.join(out, f"{model_name}.{run}.safetensors"), model=model_name)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", help="the folder that make_models.py has made")
    parser.add_argument("out")
    parser.add_argument("--all", action="store_true", help="every run of a text, not only those that are committed")
    arguments = parser.parse_args()
    os.makedirs(arguments.out, exist_ok=True)
    for model, run in all_runs(arguments.models) if arguments.all else RUNS:
        keep_gradients(arguments.models, model, run, arguments.out)


if __name__ == "__main__":
    main()
