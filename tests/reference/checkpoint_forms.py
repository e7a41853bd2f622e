"""Turns a folder that save_pretrained wrote into one as older or other tools leave behind.

Made for torch 2.15.0, safetensors 0.8.0 (requirements.txt).
"""

import collections
import os

import torch
from golden_io import save_tensors
from safetensors.torch import load_file


def bare_pickle(folder):
    """The container of torch.save before 1.6: pickles back to back, no zip."""
    path = os.path.join(folder, "pytorch_model.bin")
    torch.save(torch.load(path), path, _use_new_zipfile_serialization=False)


def views_into_one_storage(folder):
    """Two tensors in one storage at an offset, transposed strides, a Parameter, an OrderedDict with _metadata."""
    path = os.path.join(folder, "pytorch_model.bin")
    state = torch.load(path)
    weight, bias = state["text_projection.weight"], state["text_projection.bias"]
    storage = torch.zeros(7 + weight.numel() + bias.numel())
    storage[7:] = torch.cat([weight.flatten(), bias])
    rewritten = collections.OrderedDict()
    for name, tensor in state.items():
        if name == "text_projection.weight":
            tensor = storage[7 : 7 + weight.numel()].view(weight.shape)
        elif name == "text_projection.bias":
            tensor = storage[7 + weight.numel() :]
        elif name.endswith("intermediate.dense.weight"):
            tensor = tensor.t().contiguous().t()
        elif name == "temperature":
            tensor = torch.nn.Parameter(tensor)
        rewritten[name] = tensor
    rewritten._metadata = {"": {"version": 1}}
    torch.save(rewritten, path)


def old_key_spellings(folder):
    """gamma and beta, a leading "align.", a position_ids buffer, a temperature of shape [1]."""
    path = os.path.join(folder, "model.safetensors")
    rewritten = {}
    for name, tensor in load_file(path).items():
        old = name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
        rewritten["align." + old] = tensor
    positions = rewritten["align.text_model.embeddings.position_embeddings.weight"].shape[0]
    rewritten["align.text_model.embeddings.position_ids"] = torch.arange(positions)[None]
    rewritten["align.temperature"] = rewritten["align.temperature"].reshape(1)
    save_tensors(rewritten, path)


def without_fixed_keys(folder):
    """Without keys whose initial values are not random, so that the outcome is known; with one key too many."""
    path = os.path.join(folder, "model.safetensors")
    gone = ("vision_model.embeddings.batchnorm", "text_model.embeddings.LayerNorm", "temperature")
    state = {
        name: tensor
        for name, tensor in load_file(path).items()
        if not name.startswith(gone) and not name.endswith("num_batches_tracked")
    }
    state["some.unexpected.key"] = torch.zeros(3)
    save_tensors(state, path)
