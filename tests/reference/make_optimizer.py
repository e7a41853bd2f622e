"""What PyTorch's AdamW, and LAMB written out in double, make of a small model's weights.

    python make_optimizer.py ../golden/models/tiny ../golden/train/optimizer.safetensors

Gradients are a formula of the tensor's name and the step, written once here and once in tests/train/test_optimizer.c.
Tensors are named CASE.NAME; what else a case has is in the metadata. Versions: requirements.txt.
"""
import sys

import torch
from golden_io import save_tensors
from make_full_size import uniform
from transformers import AlignModel, get_cosine_schedule_with_warmup, get_linear_schedule_with_warmup

STEPS, WARMUP = 6, 2
LR, TEXT_LR, DECAY, CLIP, EMA = 3e-3, 1e-3, 0.1, 4.0, 0.9
KEPT = (
    "temperature",
    "text_projection.weight",
    "text_projection.bias",
    "text_model.embeddings.word_embeddings.weight",
    "text_model.embeddings.LayerNorm.weight",
    "text_model.encoder.layer.0.attention.self.query.bias",
    "text_model.encoder.layer.1.intermediate.dense.weight",
    "vision_model.embeddings.convolution.weight",
    "vision_model.embeddings.batchnorm.weight",
    "vision_model.encoder.blocks.1.depthwise_conv.depthwise_conv.weight",
    "vision_model.encoder.blocks.1.squeeze_excite.reduce.bias",
)


def gradient(name, step, shape):
    n = 1
    for size in shape:
        n *= size
    return torch.from_numpy(uniform(f"{name}#{step}", n)).reshape(shape) * 0.25


def decays(name):
    norm = any(part in name for part in ("LayerNorm", "batchnorm", "_bn.", "_norm."))
    return name != "temperature" and not name.endswith("bias") and not norm


def rate(name):
    return TEXT_LR if name.startswith("text_model.") else LR


def set_gradients(model, step):
    for name, parameter in model.named_parameters():
        parameter.grad = gradient(name, step, parameter.shape)
    return torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)


def average(averages, model, step):
    share = 1 - min(EMA, (1 + step) / (10 + step))
    for name, parameter in model.named_parameters():
        averages[name] += share * (parameter.detach().double() - averages[name])


def adamw(model, schedule):
    groups = [
        {"params": [parameter], "lr": rate(name), "weight_decay": DECAY if decays(name) else 0.0}
        for name, parameter in model.named_parameters()
    ]
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.98), eps=1e-6)
    scheduler = schedule(optimizer, WARMUP, STEPS)
    averages = {name: parameter.detach().double().clone() for name, parameter in model.named_parameters()}
    norms = []
    for step in range(1, STEPS + 1):
        norms.append(float(set_gradients(model, step)))
        optimizer.step()
        scheduler.step()
        average(averages, model, step)
    return dict(model.named_parameters()), averages, norms


def lamb(model, schedule):
    """Algorithm 2 of arXiv 1904.00962v5 with phi(x) = x; what has no weight decay has no trust ratio."""
    weights = {name: parameter.detach().double().clone() for name, parameter in model.named_parameters()}
    first = {name: torch.zeros_like(w) for name, w in weights.items()}
    second = {name: torch.zeros_like(w) for name, w in weights.items()}
    factor = schedule(torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0), WARMUP, STEPS).lr_lambdas[0]
    for step in range(1, STEPS + 1):
        set_gradients(model, step)
        for name, parameter in model.named_parameters():
            g, w = parameter.grad.double(), weights[name]
            first[name] = 0.9 * first[name] + 0.1 * g
            second[name] = 0.98 * second[name] + 0.02 * g * g
            r = (first[name] / (1 - 0.9**step)) / ((second[name] / (1 - 0.98**step)).sqrt() + 1e-6)
            trust = 1.0
            if decays(name):
                r = r + DECAY * w
                if w.norm() > 0 and r.norm() > 0:
                    trust = w.norm() / r.norm()
            weights[name] = w - rate(name) * factor(step - 1) * trust * r
    return weights


def main():
    folder, out = sys.argv[1:]
    tensors = {}
    weights, averages, norms = adamw(AlignModel.from_pretrained(folder), get_linear_schedule_with_warmup)
    for name in KEPT:
        tensors[f"adamw.{name}"] = weights[name]
        tensors[f"average.{name}"] = averages[name].float()
    weights, _, _ = adamw(AlignModel.from_pretrained(folder), get_cosine_schedule_with_warmup)
    for name in KEPT:
        tensors[f"cosine.{name}"] = weights[name]
    weights = lamb(AlignModel.from_pretrained(folder), get_linear_schedule_with_warmup)
    for name in KEPT:
        tensors[f"lamb.{name}"] = weights[name].float()
    tensors["norms"] = torch.tensor(norms)
    save_tensors(tensors, out)


if __name__ == "__main__":
    main()
