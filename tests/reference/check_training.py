#!/usr/bin/env python3
"""Trains with `align train` and with PyTorch, from the same model with the same batches, and compares the losses.

Made for transformers 4.37.2, torch 2.15.0, pillow 13.0.0 (requirements.txt).

    python check_training.py --align ../../build/align --model ../../models/emoji --data ../../models/demo/pictures.tsv

The table has a row of names, then one text a picture. Both sides start from the files and use AdamW without dropout. The order
of the pairs is computed anew, as src/base/random.c and src/train/sampler.c have it. Exit code 1 when a loss differs by more than
--tolerance.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile

import torch
import transformers
from PIL import Image
from transformers import AlignConfig, AlignModel, AlignProcessor, get_linear_schedule_with_warmup

MASK, STEP = (1 << 64) - 1, 0x9E3779B97F4A7C15
ORDER = 0  # the stream of shuffles under the seed


def mix(x):
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB & MASK
    return x ^ (x >> 31)


def random_bits(key, index):
    return mix((key + (index + 1) * STEP) & MASK)


def random_key(key, site):
    return mix(random_bits(key, site) ^ STEP)


def shuffled(key, n, i):
    half = 4
    while half < 32 and (n - 1) >> (2 * half):
        half += 1
    mask = (1 << half) - 1
    while True:
        left, right = i >> half, i & mask
        for round_number in range(8):
            left, right = right, left ^ (random_bits(key, right * 8 + round_number) & mask)
        i = left << half | right
        if i < n:
            return i


def batches(n, batch, seed, steps):
    """The numbers of the pairs of each step; what is left of an epoch is dropped."""
    per_epoch = n // batch
    for step in range(steps):
        order = random_key(random_key(seed, ORDER), step // per_epoch)
        first = step % per_epoch * batch
        yield [shuffled(order, n, first + i) for i in range(batch)]


def read_pairs(path):
    folder = os.path.dirname(path)
    with open(path, encoding="utf-8") as file:
        rows = [line.rstrip("\n").split("\t") for line in file][1:]
    return [(os.path.join(folder, row[0]), row[1]) for row in rows]


def prepare(folder, pairs):
    processor = AlignProcessor.from_pretrained(folder)
    images = [Image.open(path).convert("RGB") for path, _ in pairs]
    return processor(text=[text for _, text in pairs], images=images, truncation=True, return_tensors="pt")


def decays(name):
    norm = any(part in name for part in ("LayerNorm", "batchnorm", "_bn.", "_norm."))
    return name != "temperature" and not name.endswith("bias") and not norm


def reference_losses(args, pairs):
    config = AlignConfig.from_pretrained(args.model)
    config.text_config.hidden_dropout_prob = config.text_config.attention_probs_dropout_prob = 0.0
    config.vision_config.drop_connect_rate = 0.0
    model = AlignModel.from_pretrained(args.model, config=config, torch_dtype=torch.float32).train()
    if args.batch_norm == "frozen":
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.eval()
    inputs = prepare(args.model, pairs)
    groups = [
        {"params": [parameter], "weight_decay": args.weight_decay if decays(name) else 0.0}
        for name, parameter in model.named_parameters()
    ]
    optimizer = torch.optim.AdamW(groups, lr=args.lr)
    scheduler = get_linear_schedule_with_warmup(optimizer, args.warmup, args.steps)
    losses = []
    for rows in batches(len(pairs), args.batch, args.seed, args.steps):
        optimizer.zero_grad()
        loss = model(**{name: tensor[rows] for name, tensor in inputs.items()}, return_loss=True).loss
        loss.backward()
        optimizer.step()
        scheduler.step()
        losses.append(float(loss.detach()))
    return losses


def align_losses(args, folder):
    log = os.path.join(folder, "log.jsonl")
    command = [args.align, "train", "--model", args.model, "--data", args.data, "--output", os.path.join(folder, "out")]
    for name in ("steps", "batch", "seed", "lr", "warmup", "weight_decay", "batch_norm"):
        command += ["--" + name.replace("_", "-"), str(getattr(args, name))]
    command += ["--dropout", "off", "--log", log, "--save-every", str(args.steps), "--quiet"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    with open(log, encoding="utf-8") as file:
        return [json.loads(line)["loss"] for line in file]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--align", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", required=True, help="TSV: picture and text")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--lr", type=float, default=1e-4)
    parser.add_argument("--warmup", type=int, default=20)
    parser.add_argument("--weight-decay", type=float, default=1e-2)
    parser.add_argument("--batch-norm", default="batch", choices=("batch", "frozen"))
    parser.add_argument("--tolerance", type=float, default=1e-3)
    args = parser.parse_args()
    transformers.logging.set_verbosity_error()

    with tempfile.TemporaryDirectory() as folder:
        ours = align_losses(args, folder)
    theirs = reference_losses(args, read_pairs(args.data))
    differences = [abs(a - b) for a, b in zip(ours, theirs, strict=True)]
    for step in sorted({0, len(ours) // 4, len(ours) // 2, len(ours) - 1}):
        print(f"step {step + 1}: align {ours[step]:.6f}, reference {theirs[step]:.6f}")
    worst = max(range(len(differences)), key=differences.__getitem__)
    print(f"largest difference over {len(ours)} steps: {differences[worst]:.2e} at step {worst + 1}")
    return 0 if max(differences) <= args.tolerance else 1


if __name__ == "__main__":
    sys.exit(main())
