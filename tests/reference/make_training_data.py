"""Makes the goldens of src/train's data: python make_training_data.py ../golden/train

Made with Pillow 13.0.0, numpy 1.26.4, Python 3.11 (requirements.txt). It writes

* ustar.tar, gnu.tar, pax.tar: webdataset shards in the three forms of Python's tarfile, with a short, a long and a
  non-ASCII name;
* adjust.txt: a line "<what> <by> <height> <width> <seed> <crc32>" a change of colours of a picture of noise: Pillow's
  ImageEnhance, and for hues what torchvision's adjust_hue does with Pillow.
"""

import io
import os
import sys
import tarfile
import zlib

import numpy as np
from make_pictures import noise
from PIL import Image, ImageEnhance

ENHANCERS = {"brightness": ImageEnhance.Brightness, "contrast": ImageEnhance.Contrast, "saturation": ImageEnhance.Color}
FACTORS = (0.0, 0.37, 0.9, 1.0, 1.3, 2.6)
TURNS = (-0.5, -0.3, -0.01, 0.0, 0.13, 0.5)


def adjust_hue(image, by):
    hue, saturation, value = image.convert("HSV").split()
    turned = np.array(hue) + np.array(int(by * 255)).astype(np.uint8)
    return Image.merge("HSV", (Image.fromarray(turned), saturation, value)).convert("RGB")


def adjustments():
    for height, width, seed in ((64, 96, 1), (1, 1, 2)):
        image = Image.fromarray(noise(seed, height, width, 3))
        for what, enhancer in ENHANCERS.items():
            for by in FACTORS:
                yield what, by, height, width, seed, enhancer(image).enhance(by)
        for by in TURNS:
            yield "hue", by, height, width, seed, adjust_hue(image, by)


def png(width):
    out = io.BytesIO()
    Image.new("RGB", (width, 2), (200, 10, 10)).save(out, "PNG")
    return out.getvalue()


def write_shard(path, form):
    digits = "0123456789" * 4
    long = f"{digits[:39]}/{digits[:39]}/{digits}"  # 120 characters
    samples = (("short", "a short name"), (long, "a long name"), ("été", "summer"))
    with tarfile.open(path, "w", format=form) as tar:
        for number, (key, text) in enumerate(samples):
            for extension, content in (("png", png(3 + number)), ("txt", text.encode())):
                member = tarfile.TarInfo(f"{key}.{extension}")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))


def main(folder):
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "adjust.txt"), "w") as out:
        for what, by, height, width, seed, image in adjustments():
            out.write(f"{what} {by} {height} {width} {seed} {zlib.crc32(np.array(image).tobytes()):08x}\n")
    for name, form in (("ustar", tarfile.USTAR_FORMAT), ("gnu", tarfile.GNU_FORMAT), ("pax", tarfile.PAX_FORMAT)):
        write_shard(os.path.join(folder, name + ".tar"), form)


if __name__ == "__main__":
    main(sys.argv[1])
