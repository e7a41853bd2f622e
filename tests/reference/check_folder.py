#!/usr/bin/env python3
"""Compares `align` with the reference on a model folder, pictures and texts of your own.

Made for transformers 4.37.2, torch 2.15.0, pillow 13.0.0 (requirements.txt).

    python check_folder.py --align ../../build/align --model ../../models/emoji \\
        --image ../../models/demo/*.png --text "a red fruit" "a sad face"

Both sides start from the files. The reference is given the pictures as RGB with their EXIF orientation left alone.
Exit code 1 when a logit differs by more than 1e-5 of the largest.
"""

import argparse
import json
import subprocess
import sys

import numpy as np
import torch
import transformers
from PIL import Image
from transformers import AlignModel, AlignProcessor


def reference_logits(model_folder, pictures, texts):
    transformers.logging.set_verbosity_error()
    model = AlignModel.from_pretrained(model_folder).eval()
    processor = AlignProcessor.from_pretrained(model_folder)
    images = [Image.open(path).convert("RGB") for path in pictures]
    inputs = processor(text=texts, images=images, truncation=True, return_tensors="pt")
    with torch.no_grad():
        return model(**inputs).logits_per_image.numpy()


def align_logits(align, model_folder, pictures, texts):
    command = [align, "similarity", "--json", "--quiet", "--orientation", "ignore", "--model", model_folder]
    command += ["--image", *pictures, "--text", *texts]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return np.array(json.loads(printed)["logits_per_image"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--align", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--image", nargs="+", required=True)
    parser.add_argument("--text", nargs="+", required=True)
    args = parser.parse_args()

    expected = reference_logits(args.model, args.image, args.text)
    actual = align_logits(args.align, args.model, args.image, args.text)
    difference = np.abs(actual - expected).max() / np.abs(expected).max()
    print(f"{expected.shape[0]} pictures, {expected.shape[1]} texts: logits differ by {difference:.2e} of the largest")
    return 0 if difference <= 1e-5 else 1


if __name__ == "__main__":
    sys.exit(main())
