"""What the golden scripts share: seeds, files, flattened outputs.

Made for transformers 4.37.2, torch 2.15.0, safetensors 0.8.0 (requirements.txt).

A *run* is one call of the reference, kept in one safetensors file beside the model it was made with:

* tensors named like forward()'s arguments (``input_ids``, ``pixel_values``, ...) went in, all others came out, named as
  `align forward` names them (``logits_per_image``, ``text_model_output.hidden_states.1``, ...);
* the metadata says which call it was: ``call`` is ``forward``, ``text``, ``vision``, ``text_features`` or
  ``image_features``; ``return_loss``, ``output_hidden_states``, ``output_attentions``, ``no_pooler`` and ``tower`` are
  there when set.

tests/support/golden.h reads these files.
"""

import hashlib
import json
import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import torch  # noqa: E402  (the environment must be set first)
from safetensors.torch import save  # noqa: E402

INPUT_NAMES = (
    "input_ids",
    "attention_mask",
    "token_type_ids",
    "position_ids",
    "head_mask",
    "inputs_embeds",
    "pixel_values",
)


class Seeds:
    """Independent random generators, one for each name, all derived from one seed."""

    def __init__(self, seed):
        self.seed = seed

    def number(self, name):
        digest = hashlib.sha256(f"{self.seed}/{name}".encode()).digest()
        return int.from_bytes(digest[:6], "little")

    def generator(self, name):
        generator = torch.Generator()
        generator.manual_seed(self.number(name))
        return generator


def uniform(generator, shape, low, high):
    return torch.rand(shape, generator=generator) * (high - low) + low


def save_tensors(tensors, path, **metadata):
    """Writes a safetensors file; metadata values are turned into strings.

    safetensors writes the metadata in an order that changes from run to run; here it is sorted, so that the same
    numbers give the same bytes.
    """
    whole = {name: tensor.detach().contiguous().clone() for name, tensor in tensors.items()}
    written = save(whole, metadata={"format": "pt", **{key: str(value) for key, value in metadata.items()}})
    size = int.from_bytes(written[:8], "little")
    header = json.loads(written[8 : 8 + size])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text + written[8 + size :])


def save_run(folder, name, call, inputs, outputs, place="runs", **flags):
    """Writes folder/<place>/<name>.safetensors; flags that are False are left out."""
    overlap = set(inputs) & set(outputs)
    unknown = set(inputs) - set(INPUT_NAMES)
    if overlap or unknown:
        raise ValueError(f"{name}: inputs {sorted(unknown)} unknown, {sorted(overlap)} also an output")
    os.makedirs(os.path.join(folder, place), exist_ok=True)
    kept = {key: value if isinstance(value, str) else int(value) for key, value in flags.items() if value}
    save_tensors({**inputs, **outputs}, os.path.join(folder, place, name + ".safetensors"), call=call, **kept)


def flatten(output, prefix=""):
    """A ModelOutput as {name: tensor}; members of tuples get their number as the last part of the name."""
    flat = {}
    for key, value in output.items():
        if isinstance(value, torch.Tensor):
            flat[prefix + key] = value
        elif isinstance(value, tuple):
            flat.update({f"{prefix}{key}.{i}": member for i, member in enumerate(value)})
        elif hasattr(value, "items"):
            flat.update(flatten(value, prefix + key + "."))
    return flat


def read_json(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def folder_bytes(folder):
    return sum(os.path.getsize(os.path.join(path, name)) for path, _, names in os.walk(folder) for name in names)
