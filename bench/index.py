#!/usr/bin/env python3
"""index.py: how fast `align index` is beside the picture tower alone (`align bench`), in turns.

    index.py --model DIR                    96 photos of 12 megapixels, made here
    index.py --model DIR --photos FOLDER    other ones
    index.py --model DIR --photos FOLDER --mixed N    the same, after making N photos there of the sizes that data sets have

Prints milliseconds a picture for each number of threads, what the command needs without pictures taken off, and the
share of the tower's rate that is left. On cores that the tower leaves free, decoding is hidden; on those that it uses it
is not. DIR needs a preprocessor_config.json. Needs numpy, Pillow and build/align.
"""
import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ALIGN = os.environ.get("ALIGN", os.path.join(HERE, "..", "build", "align"))
PHOTOS, DIFFERENT = 96, 12
CANVASES, LARGE = 8, 40  # of a mixed set: pictures that photos are cut from; one photo in so many has 12 megapixels


def make_photos(folder):
    """The same few photos again and again, told apart by a byte behind their end, which no decoder looks at."""
    from prepare import photo
    for i in range(DIFFERENT):
        path = os.path.join(folder, f"{i:03}.jpg")
        photo(4000, 3000, i).save(path, quality=90)
        with open(path, "rb") as file:
            data = file.read()
        for copy in range(1, PHOTOS // DIFFERENT):
            with open(os.path.join(folder, f"{i:03}-{copy}.jpg"), "wb") as file:
                file.write(data + bytes([copy]))


def make_mixed(folder, count):
    """Photos that differ: pieces of 0.3 to 2 megapixels, turned over or not, lighter or darker, in qualities of 75 to 95."""
    import numpy as np
    from PIL import Image, ImageEnhance
    from prepare import photo
    random = np.random.RandomState(1)
    os.makedirs(folder, exist_ok=True)
    canvases = [photo(2400, 1800, i) for i in range(CANVASES)]
    for i in range(count):
        picture = canvases[i % CANVASES]
        if i % LARGE:
            pixels, shape = random.uniform(0.3e6, 2e6), random.choice([3 / 4, 4 / 3, 3 / 2, 2 / 3, 1, 16 / 9])
            width, height = int((pixels * shape) ** 0.5), int((pixels / shape) ** 0.5)
            x, y = random.randint(2400 - width), random.randint(1800 - height)
            picture = picture.crop((x, y, x + width, y + height))
        else:
            picture = picture.resize((4000, 3000))
        if random.randint(2):
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        picture = ImageEnhance.Brightness(picture).enhance(random.uniform(0.7, 1.2))
        picture.save(os.path.join(folder, f"{i:05}.jpg"), quality=int(random.randint(75, 96)))


def seconds(arguments):
    start = time.monotonic()
    subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - start


def index(options, photos, more):
    """Milliseconds a picture."""
    with tempfile.TemporaryDirectory() as folder:
        command = [ALIGN, "index", photos, "--model", options.model, "--store", os.path.join(folder, "i.db"), "--quiet"]
        took = seconds(command + more)
        again = seconds(command + more)  # the model is loaded, no picture is opened
    return (took - again) * 1000 / len(os.listdir(photos))


def tower(options, more):
    command = [ALIGN, "bench", "--model", options.model, "--batch", "8", "--seconds", "3"]
    printed = subprocess.run(command + more, check=True, stdout=subprocess.PIPE, text=True).stdout
    return float(re.search(r"median ([0-9.]+) ms an item", printed).group(1))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--photos")
    parser.add_argument("--mixed", type=int, help="make so many photos in the folder first, unless it is there")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        photos = options.photos or made
        if not options.photos:
            make_photos(made)
        elif options.mixed and not os.path.isdir(photos):
            make_mixed(photos, options.mixed)
        print("threads   tower   index  of its rate   --fast-decode  of its rate")
        for threads in options.threads.split(","):
            more, rows = ["--threads", threads], []
            for _ in range(options.turns):
                rows.append((tower(options, more), index(options, photos, more),
                             index(options, photos, more + ["--fast-decode"])))
            alone, exact, fast = (statistics.median(column) for column in zip(*rows))
            print(f"{threads:>7} {alone:7.1f} {exact:7.1f} {alone / exact:12.0%} {fast:15.1f} {alone / fast:12.0%}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
