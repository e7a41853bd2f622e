"""What the reference computes with the default model under the weights of tests/model/test_full_size.c.

    python make_full_size.py ../golden/model/full_size.safetensors

The weights are a formula, written once here and once there; both must give the same bits. Versions: requirements.txt.
"""
import math
import sys

import numpy as np
import torch
from safetensors.torch import save_file
from transformers import AlignConfig, AlignModel, AlignVisionConfig

TEXTS, TOKENS, PIXELS = 2, 64, 289


def hash_of_name(name):
    h = 2166136261
    for c in name.encode():
        h = (h ^ c) * 16777619 & 0xFFFFFFFF
    return h


def uniform(name, n):
    """n floats in [-1, 1), exact."""
    h = np.arange(n, dtype=np.uint32) * np.uint32(0x9E3779B9) + np.uint32(hash_of_name(name))
    h = (h ^ h >> np.uint32(16)) * np.uint32(0x85EBCA6B)
    h = (h ^ h >> np.uint32(13)) * np.uint32(0xC2B2AE35)
    h ^= h >> np.uint32(16)
    return (h >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-23) - np.float32(1)


def formula(name, shape):
    """Scale and offset of a tensor's elements."""
    if name == "temperature":
        return 0.0, 0.05
    if name.endswith("embeddings.weight"):
        return 0.7, 0.0
    norm = any(part in name for part in ("LayerNorm", "batchnorm", "_bn.", "_norm."))
    if name.endswith("running_var") or (norm and name.endswith(".weight")):
        return 0.3, 1.0
    if name.endswith(("running_mean", "bias")):
        return 0.1, 0.0
    fan_in = math.prod(shape[1:])
    return math.sqrt((5.0 if name.startswith("vision_model.") else 3.0) / fan_in), 0.0


def weights(model):
    state = {}
    for name, tensor in model.state_dict().items():
        if name.endswith("num_batches_tracked"):
            state[name] = torch.ones_like(tensor)
            continue
        scale, offset = formula(name, tensor.shape)
        values = uniform(name, tensor.numel()) * np.float32(scale) + np.float32(offset)
        state[name] = torch.from_numpy(values).reshape(tensor.shape)
    return state


def main():
    config = AlignConfig(vision_config=AlignVisionConfig(image_size=289, hidden_dim=640).to_dict())
    with torch.device("meta"):
        model = AlignModel(config)
    empty = model.to_empty(device="cpu")
    empty.load_state_dict(weights(empty))
    # to_empty leaves the buffers that are not in the state dict undefined
    embeddings = empty.text_model.embeddings
    embeddings.position_ids = torch.arange(config.text_config.max_position_embeddings).expand((1, -1))
    embeddings.token_type_ids = torch.zeros(embeddings.position_ids.size(), dtype=torch.long)
    empty.eval()

    n = TEXTS * TOKENS
    ids = torch.tensor([(1000 + 7919 * i) % 30522 for i in range(n)]).reshape(TEXTS, TOKENS)
    mask = torch.tensor([int(i < TOKENS + 9) for i in range(n)]).reshape(TEXTS, TOKENS)
    pixels = torch.from_numpy(uniform("pixel_values", 3 * PIXELS * PIXELS)).reshape(1, 3, PIXELS, PIXELS)
    with torch.no_grad():
        out = empty(input_ids=ids, attention_mask=mask, pixel_values=pixels)
    kept = {"logits_per_image": out.logits_per_image, "text_embeds": out.text_embeds,
            "image_embeds": out.image_embeds, "text_pooler_output": out.text_model_output.pooler_output,
            "image_pooler_output": out.vision_model_output.pooler_output}
    save_file({name: tensor.contiguous() for name, tensor in kept.items()}, sys.argv[1], metadata={"format": "pt"})
    for name, tensor in kept.items():
        print(name, tuple(tensor.shape), "largest", float(tensor.abs().max()))


if __name__ == "__main__":
    main()
