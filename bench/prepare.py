#!/usr/bin/env python3
"""prepare.py: from a JPEG of 12 megapixels to pixel_values, beside Pillow with the reference's processor. One thread.

    prepare.py              a picture made here, with align-base's preprocessor_config.json; in turns
    prepare.py FILE...      other pictures

Prints milliseconds a picture, and how far the pixels are off the reference's, in steps of 1/255: exactly decoded ones must
be equal, --fast-decode's are off by what this shows. Needs Pillow 13, transformers 4.37.2 and
build/bench/bench_preparation (cmake --build build --target bench_preparation).
"""
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

try:
    import numpy as np
    from PIL import Image
    from transformers import EfficientNetImageProcessor
except ImportError as missing:
    sys.exit(print(f"{missing.name} is not installed: pip install -r bench/requirements.txt"))

HERE = os.path.dirname(os.path.abspath(__file__))
DRIVER = os.environ.get("BENCH_PREPARATION", os.path.join(HERE, "..", "build", "bench", "bench_preparation"))
TURNS, SECONDS = 3, 0.5
CONFIG = {"crop_size": {"height": 289, "width": 289}, "do_center_crop": True, "do_normalize": False, "do_rescale": True,
          "do_resize": True, "image_mean": [0.5] * 3, "image_std": [0.5] * 3, "include_top": False, "resample": 2,
          "image_processor_type": "EfficientNetImageProcessor", "rescale_factor": 1 / 127.5, "rescale_offset": True,
          "size": {"height": 346, "width": 346}}


def photo(width, height, seed):
    """As detailed as a photo: octaves of noise, disks with sharp edges, and the grain of a sensor."""
    random = np.random.RandomState(seed)
    picture = np.zeros((height, width, 3), np.float32)
    for octave in 2 ** np.arange(2, 12):
        noise = random.randn(octave * 3 // 4, octave, 1) * 0.8 + random.randn(octave * 3 // 4, octave, 3) * 0.25
        for channel in range(3):
            layer = Image.fromarray(noise[..., channel].astype(np.float32)).resize((width, height), Image.BICUBIC)
            picture[..., channel] += np.asarray(layer) / octave**0.7
    picture = 128 + 45 * picture / picture.std()
    y, x = np.ogrid[:height, :width]
    for _ in range(60):
        radius = random.randint(width // 200, width // 10)
        disk = (y - random.randint(height)) ** 2 + (x - random.randint(width)) ** 2 < radius**2
        picture[disk] += random.randn(3) * 35
    picture += random.randn(height, width, 1) * 6
    return Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))


def ours(folder, path, how):
    out = os.path.join(folder, "out.f32")
    command = [DRIVER, "picture", folder, path, how, str(SECONDS), out]
    result = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    return result["median_ms"], np.fromfile(out, np.float32)


def theirs(processor, path):
    times, pixels = [], None
    while len(times) < 3 or sum(times) < SECONDS:
        begin = time.perf_counter()
        pixels = processor(Image.open(path).convert("RGB"), return_tensors="np")["pixel_values"]
        times.append(time.perf_counter() - begin)
    return statistics.median(times) * 1e3, pixels.astype(np.float32).ravel()


def row(name, times, peer, pixels, expected):
    off = np.abs(pixels - expected) / CONFIG["rescale_factor"]
    print(f"    {name:22} {times:7.1f} ms  {peer / times:5.2f}x   off by {off.mean():.2f} in the mean, {off.max():.0f} at most")


def compare(folder, processor, path):
    runs = {"Pillow + reference": lambda: theirs(processor, path), "align": lambda: ours(folder, path, "exact"),
            "align --fast-decode": lambda: ours(folder, path, "fast")}
    results = {name: [] for name in runs}
    for _ in range(TURNS):
        for name, run in runs.items():
            results[name].append(run())
    times = {name: statistics.median(r[0] for r in result) for name, result in results.items()}
    expected = results["Pillow + reference"][0][1]
    size = Image.open(path).size
    print(f"{os.path.basename(path)}: {size[0]} x {size[1]}, {os.path.getsize(path) / 1e6:.1f} MB")
    for name, result in results.items():
        row(name, times[name], times["Pillow + reference"], result[0][1], expected)


def main(paths):
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "preprocessor_config.json"), "w") as file:
            json.dump(CONFIG, file)
        if not paths:
            image = photo(4000, 3000, 7)
            paths = [os.path.join(folder, name) for name in ("photo.jpg", "progressive.jpg")]
            for path in paths:
                image.save(path, quality=90, subsampling="4:2:0", progressive="progressive" in path)
        processor = EfficientNetImageProcessor.from_pretrained(folder)
        for path in paths:
            compare(folder, processor, path)


if __name__ == "__main__":
    main(sys.argv[1:])
