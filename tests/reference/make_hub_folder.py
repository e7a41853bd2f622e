#!/usr/bin/env python3
"""Makes tests/golden/hub: a whole model folder as the hub has them, with two pictures, and what comes out of it.

Made with transformers 4.37.2, tokenizers 0.15.2, pillow 13.0.0, torch 2.15.0, numpy 1.26.4 (requirements.txt).

    python make_hub_folder.py --out ../golden/hub

golden.safetensors holds what AlignProcessor made of the files and texts named in its metadata (one a line) and what
AlignModel made of that: what a user has who follows the model card.
"""

import argparse
import os
import shutil
import sys

import numpy as np
import torch
import transformers
from golden_io import Seeds, flatten, folder_bytes, save_tensors
from model_cases import SMALL_TEXT, SMALL_VISION, TEXT, VISION
from PIL import Image
from random_weights import randomize
from transformers import AlignConfig, AlignModel, AlignProcessor, BertTokenizerFast, EfficientNetImageProcessor
from transformers.models.align.modeling_align import round_filters

LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
VOCABULARY = (
    ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    + list(LETTERS + ".,!?'-")
    + ["##" + letter for letter in LETTERS]
    + ["photo", "of", "cat", "dog", "the", "##ing", "an", "image"]
)
TEXTS = ["a photo of a cat", "An image of the DOG, running!", "caf\u00e9 \u4e2d"]


def draw_picture(generator, height, width):
    """Waves, an edge and some noise: something that a resize filter has work with."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    picture = np.zeros((height, width, 3))
    for channel in range(3):
        a, b, c, d = generator.random(4)
        picture[..., channel] = 128 + 90 * np.sin(x * a * 0.3 + b * 6) * np.cos(y * c * 0.3 + d * 6)
    picture[:, : width // 3] += 40
    picture += generator.normal(0, 4, picture.shape)
    return Image.fromarray(np.clip(np.round(picture), 0, 255).astype(np.uint8))


def save_pictures(folder, seeds):
    generator = np.random.default_rng(seeds.number("pictures"))
    draw_picture(generator, 52, 37).save(os.path.join(folder, "tall.png"))
    draw_picture(generator, 30, 61).save(os.path.join(folder, "wide.jpg"), quality=90, subsampling=0)
    return ["tall.png", "wide.jpg"]


def save_processor(folder):
    vocabulary = os.path.join(folder, "words.txt")
    with open(vocabulary, "w", encoding="utf-8", newline="\n") as file:
        file.write("".join(token + "\n" for token in VOCABULARY))
    tokenizer = BertTokenizerFast(vocabulary, model_max_length=64)
    os.remove(vocabulary)
    # align-base's settings, smaller.
    pictures = EfficientNetImageProcessor(
        size=dict(height=30, width=30), do_center_crop=True, crop_size=dict(height=25, width=25), resample=2,
        rescale_factor=1 / 127.5, rescale_offset=True, do_normalize=False, include_top=False,
    )
    AlignProcessor(pictures, tokenizer).save_pretrained(folder)


def save_model(folder, seeds):
    text = dict(TEXT, **SMALL_TEXT)
    text.update(vocab_size=len(VOCABULARY), max_position_embeddings=64)
    config = AlignConfig(text_config=text, vision_config=dict(VISION, **SMALL_VISION))
    config.projection_dim = round_filters(config.vision_config, config.vision_config.out_channels[-1])
    torch.manual_seed(seeds.number("model") % 2**31)
    randomize(AlignModel(config), seeds.generator("weights")).save_pretrained(folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)

    seeds = Seeds(args.seed)
    shutil.rmtree(args.out, ignore_errors=True)
    os.makedirs(args.out)
    save_model(args.out, seeds)
    save_processor(args.out)
    files = save_pictures(args.out, seeds)

    model = AlignModel.from_pretrained(args.out).eval()
    processor = AlignProcessor.from_pretrained(args.out)
    images = [Image.open(os.path.join(args.out, name)).convert("RGB") for name in files]
    inputs = processor(text=TEXTS, images=images, return_tensors="pt")
    with torch.no_grad():
        outputs = flatten(model(**inputs))
    outputs = {name: tensor for name, tensor in outputs.items() if "model_output" not in name}
    save_tensors({**inputs, **outputs}, os.path.join(args.out, "golden.safetensors"), call="forward",
                 texts="\n".join(TEXTS), images="\n".join(files))
    print(f"{args.out}: {folder_bytes(args.out) / 1024:.0f} KiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
