"""serve_inputs.py: what serve.py sends, and the same as tensors for `align bench`.

A pool has as many captions and pictures as a batch has at most, so that whatever was computed together had the average
length. A caption is of words that are one token each: its ids are known without a tokenizer.
"""
import base64
import io
import json
import os
import random
import re
import struct

from prepare import photo
from tensor_file import write_safetensors

TEXTS, PICTURES = 64, 16  # what align serve computes together at most, unless told otherwise
TEXTS_OF_BATCH = 16       # of a request with many
SMALLEST, LARGEST = 300, 600
MIX = ("text",) * 12 + ("texts",) * 2 + ("picture",) * 4


class Pool:
    """Captions of a model's vocabulary, pictures, and requests of them."""

    def __init__(self, vocabulary):
        rng = random.Random(7)
        with open(vocabulary, encoding="utf-8") as file:
            ids = {token.rstrip("\n"): i for i, token in enumerate(file)}
        words = sorted(w for w in ids if re.fullmatch("[a-z]{3,}", w))
        lengths = [min(62, max(3, round(rng.lognormvariate(2.3, 0.45)))) for _ in range(TEXTS)]
        self.captions = [[rng.choice(words) for _ in range(n)] for n in lengths]
        self.rows = [[ids["[CLS]"]] + [ids[w] for w in words] + [ids["[SEP]"]] for words in self.captions]
        self.pictures = [jpeg(rng.randint(SMALLEST, LARGEST), rng.randint(SMALLEST, LARGEST), i) for i in range(PICTURES)]

    def bodies(self, kind):
        """The requests of a kind, each a line of JSON, and how many texts and pictures one has on average."""
        texts = [" ".join(words) for words in self.captions]
        urls = ["data:image/jpeg;base64," + base64.b64encode(p).decode() for p in self.pictures]
        inputs = {"text": texts, "texts": [texts[i:i + TEXTS_OF_BATCH] for i in range(0, TEXTS, TEXTS_OF_BATCH)],
                  "picture": urls}
        if kind == "mix":
            chosen = [(k, inputs[k][i % len(inputs[k])]) for i in range(TEXTS) for k in MIX]
            random.Random(8).shuffle(chosen)
        else:
            chosen = [(kind, one) for one in inputs[kind]]
        n_texts = sum({"text": 1, "texts": TEXTS_OF_BATCH, "picture": 0}[k] for k, _ in chosen) / len(chosen)
        n_pictures = sum(k == "picture" for k, _ in chosen) / len(chosen)
        lines = [json.dumps({"model": "served", "input": one, "modality": "image" if k == "picture" else "text"})
                 for k, one in chosen]
        return lines, n_texts, n_pictures

    def write_tensors(self, path, side):
        """The captions as rows of ids with their mask, and pictures of the model's size, for `align bench --inputs`."""
        length = max(map(len, self.rows))
        ids = [i for row in self.rows for i in row + [0] * (length - len(row))]
        mask = [int(i < len(row)) for row in self.rows for i in range(length)]
        rng = random.Random(9)
        numbers = [rng.gauss(0, 1) for _ in range(3 * side * side)]
        write_safetensors(path, {
            "caption_ids": ("I64", [TEXTS, length], struct.pack(f"<{len(ids)}q", *ids)),
            "caption_mask": ("I64", [TEXTS, length], struct.pack(f"<{len(mask)}q", *mask)),
            "pixel_values": ("F32", [PICTURES, 3, side, side], struct.pack(f"<{len(numbers)}f", *numbers) * PICTURES)})


def jpeg(width, height, seed):
    file = io.BytesIO()
    photo(width, height, seed).save(file, "JPEG", quality=85)
    return file.getvalue()


def make_folder(folder, checkpoint, processor, image_config):
    """A folder of links that can be served: the checkpoint's config and weights, the tokenizer of another model, and a
    preprocessor_config.json of image_config, or that model's own where it is None."""
    os.makedirs(folder)
    for name in os.listdir(checkpoint):
        if name == "config.json" or name.startswith("model") or name.endswith(".onnx"):
            os.symlink(os.path.abspath(os.path.join(checkpoint, name)), os.path.join(folder, name))
    for name in ("vocab.txt", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        os.symlink(os.path.abspath(os.path.join(processor, name)), os.path.join(folder, name))
    target = os.path.join(folder, "preprocessor_config.json")
    if image_config is None:
        os.symlink(os.path.abspath(os.path.join(processor, "preprocessor_config.json")), target)
    else:
        with open(target, "w", encoding="utf-8") as file:
            json.dump(dict(image_config, processor_class="AlignProcessor"), file)
