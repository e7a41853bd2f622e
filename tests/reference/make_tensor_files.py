"""Small files of every kind that the checkpoint room reads and writes: tests/golden/checkpoint.

Made for torch 2.15.0, transformers 4.37.2, safetensors 0.8.0, numpy 1.26.4 (requirements.txt).

    truth.safetensors      one tensor of every dtype, shape and name that is special
    *.bin                  the same tensors in every container and pickle protocol torch.save has, and as views
    sharded_safetensors/   the same in shards with their index, as save_pretrained writes them; sharded_bin/ likewise
    *.npy                  what numpy.save makes of some of them (bfloat16 as float32)
    tree*.json             a tree, and what json.dumps makes of it
"""

import argparse
import collections
import json
import os
import random
import struct

import numpy as np
import torch
from safetensors.torch import save_file
from transformers.modeling_utils import shard_checkpoint

PICKLED = (
    # name, pickle protocol, zip container
    ("zip", 2, True),
    ("zip_protocol_1", 1, True),
    ("zip_protocol_4", 4, True),
    ("zip_protocol_5", 5, True),
    ("legacy", 2, False),
    ("legacy_protocol_4", 4, False),
)


def tensors():
    generator = torch.Generator().manual_seed(7)
    halves = torch.tensor([0.0, -0.0, 6e-8, 1e-5, 65504.0, float("inf"), float("-inf"), float("nan"), 1 / 3])
    return {
        "temperature": torch.tensor(1.25),
        "matrix.weight": torch.randn(3, 4, generator=generator),
        "kernel.weight": torch.randn(2, 3, 1, 2, generator=generator),
        "half": halves.half(),
        "brain": halves.bfloat16().reshape(3, 3),
        "double": torch.randn(3, dtype=torch.float64, generator=generator),
        "num_batches_tracked": torch.tensor(-(2**40)),
        "int": torch.tensor([[1, -2], [3, 2**31 - 1]], dtype=torch.int32),
        "short": torch.tensor([-32768, 5, 32767], dtype=torch.int16),
        "char": torch.tensor([-128, 127], dtype=torch.int8),
        "byte": torch.tensor([[0], [255]], dtype=torch.uint8),
        "bool": torch.tensor([True, False, True]),
        "empty": torch.zeros(0, 3),
        'na\u00efve "\\\u4e2d\U0001f600\u007f': torch.randn(1, generator=generator),
    }


def as_views(state):
    """The same values out of shared storages: offsets, transposed strides, a repeated axis, a Parameter, _metadata."""
    shared = torch.cat([torch.zeros(7), state["matrix.weight"].flatten(), state["temperature"][None]])
    views = collections.OrderedDict(state)
    views["matrix.weight"] = shared[7:19].view(3, 4)
    views["temperature"] = torch.nn.Parameter(shared[19])
    views["kernel.weight"] = state["kernel.weight"].permute(3, 1, 0, 2).contiguous().permute(2, 1, 3, 0)
    views["brain"] = state["brain"].t().contiguous().t()
    views["bool"] = torch.stack([state["bool"], ~state["bool"]], 1)[:, 0]
    views["byte"] = torch.tensor([0, 255, 9], dtype=torch.uint8)[:2].view(2, 1)
    views._metadata = collections.OrderedDict({"": {"version": 1}, "matrix": {"version": 2}})
    for name, tensor in state.items():
        assert views[name].shape == tensor.shape and views[name].dtype == tensor.dtype
    return views


def save_shards(state, folder, safe):
    os.makedirs(folder, exist_ok=True)
    state = {name: tensor for name, tensor in state.items() if name != "bool"}  # the reference counts bits for these
    name = "model.safetensors" if safe else "pytorch_model.bin"
    shards, index = shard_checkpoint(state, 100, name)
    for file, shard in shards.items():
        path = os.path.join(folder, file)
        if safe:
            save_file(shard, path, metadata={"format": "pt"})
        else:
            torch.save(shard, path)
    with open(os.path.join(folder, name + ".index.json"), "w", encoding="utf-8") as file:
        file.write(json.dumps(index, indent=2, sort_keys=True) + "\n")


def json_tree():
    generator = random.Random(3)
    numbers = [1e-12, 0.001, 3.1, 5e-05, 1.0, 0.0, -0.0, 1e16, 1e15, 9999999999999998.0, 123456.789e-9, 0.0001, 5e-324]
    numbers += [2.0**e for e in range(-1074, 63, 7)] + [2.0**-1003, 2.0**-44, 2.0**62]
    while len(numbers) < 400:
        number = struct.unpack("d", struct.pack("Q", generator.getrandbits(64)))[0]
        if abs(number) < 2**63:
            numbers.append(number)
    return {
        "numbers": numbers,
        "integers": [0, -1, 2**63 - 1, -(2**63), int(1e30)],
        "texts": ["", 'q"uote', "back\\slash/", "\b\f\n\r\t\x01\x1f\x7f", "\u00e9\u4e2d\uffff", "\U0001f600\U0010ffff"],
        "nested": {"list": [], "object": {}, "both": [[], {}, [[1, [2]], {"b": None, "a": {"c": True}}], False]},
        "\u00fc": 1,
        "A": 2,
        "a": 3,
        "\U0001f600": 4,
        "\uffff": 5,
        "": 6,
    }


def save_json(folder):
    tree = json_tree()
    written = {
        "tree.json": json.dumps(tree),
        "tree_python.json": json.dumps(tree, indent=2, sort_keys=True) + "\n",
        "tree_utf8.json": json.dumps(tree, indent=2, sort_keys=True, ensure_ascii=False) + "\n",
        "tree_order.json": json.dumps(tree, indent=2),
    }
    for name, text in written.items():
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True)
    out = parser.parse_args().out
    os.makedirs(out, exist_ok=True)
    state = tensors()
    save_file(state, os.path.join(out, "truth.safetensors"), metadata={"format": "pt"})
    for name, protocol, is_zip in PICKLED:
        path = os.path.join(out, name + ".bin")
        torch.save(state, path, pickle_protocol=protocol, _use_new_zipfile_serialization=is_zip)
    torch.save(as_views(state), os.path.join(out, "views.bin"))
    torch.save(as_views(state), os.path.join(out, "views_legacy.bin"), _use_new_zipfile_serialization=False)
    save_shards(state, os.path.join(out, "sharded_safetensors"), True)
    save_shards(state, os.path.join(out, "sharded_bin"), False)
    for name in ("temperature", "matrix.weight", "kernel.weight", "half", "num_batches_tracked", "byte", "bool", "empty"):
        np.save(os.path.join(out, name + ".npy"), state[name].numpy())
    np.save(os.path.join(out, "brain.npy"), state["brain"].float().numpy())
    save_json(out)


if __name__ == "__main__":
    main()
