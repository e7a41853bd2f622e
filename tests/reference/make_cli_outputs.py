#!/usr/bin/env python3
"""Makes the expected outputs of the command that hold numbers of the reference: tests/cli/{classify,decode,embed,similarity}.

Made with transformers 4.37.2, tokenizers 0.15.2, pillow 13.0.0, torch 2.15.0, numpy 1.26.4 (requirements.txt).

    python make_cli_outputs.py --hub ../golden/hub --out ../cli

Every case runs AlignProcessor and AlignModel on the pictures of the hub folder (make_hub_folder.py). A batch holds one
picture or one text, so that nothing depends on its company. The cases' .sh files say what the command is asked for; the
lists here must agree with them.
"""

import argparse
import json
import os
import unicodedata

import torch
from PIL import Image
from transformers import AlignModel, AlignProcessor
from transformers.utils import logging

TEXTS = ["a photo of a cat", "An image of the DOG, running!", "caf\u00e9 \u4e2d"]
LABELS = ["cat", "dog", "a photo of a cat", "image", "the running dog", "1.5"]
THREE = ["cat", "dog", "a photo of a cat"]
ODD = ["caf\u00e9 \u4e2d", "tab\tand\033[31m", "width: \u65e5\u672c"]
PICTURES = ["tall.png", "wide.jpg"]


class Reference:
    def __init__(self, folder):
        self.folder = folder
        self.model = AlignModel.from_pretrained(folder).eval()
        self.processor = AlignProcessor.from_pretrained(folder)

    @torch.no_grad()
    def text(self, text):
        inputs = self.processor(text=[text], return_tensors="pt")
        return torch.nn.functional.normalize(self.model.get_text_features(**inputs).double())[0]

    @torch.no_grad()
    def picture(self, name):
        image = Image.open(os.path.join(self.folder, name)).convert("RGB")
        inputs = self.processor(images=image, return_tensors="pt")
        return torch.nn.functional.normalize(self.model.get_image_features(**inputs).double())[0]

    def logits(self, picture, labels, templates=("{}",)):
        """The logits of one picture, each label being the normalised mean of its filled templates."""
        rows = [sum(self.text(template.replace("{}", label)) for template in templates) for label in labels]
        matrix = torch.nn.functional.normalize(torch.stack(rows))
        return matrix @ self.picture(picture) / self.model.temperature.item()


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n"


def ranked(labels, logits):
    """(label, logit, probability), the most probable first."""
    probabilities = logits.softmax(0)
    order = sorted(range(len(labels)), key=lambda i: -logits[i].item())
    return [(labels[i], logits[i].item(), probabilities[i].item()) for i in order]


def classify_json(reference, pictures, labels, top=None, **options):
    lines = ""
    for shown, name in pictures:
        guesses = ranked(labels, reference.logits(name, labels, **options))[:top]
        lines += compact({"image": shown, "labels": [dict(label=label, probability=probability, logit=logit)
                                                     for label, logit, probability in guesses]})
    return lines


def shown(text):
    return "".join("\\t" if c == "\t" else f"\\x{ord(c):02x}" if ord(c) < 32 else c for c in text)


def columns(text):
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def padded(text, width):
    return text + " " * (width - columns(text))


def classify_table(reference, pictures, labels, top=5):
    lines = ""
    for name in pictures:
        guesses = [(shown(label), p) for label, _, p in ranked(labels, reference.logits(name, labels))[:top]]
        width = max(columns(label) for label, _ in guesses)
        lines += name + "\n" + "".join(f"  {padded(label, width)}  {100 * p:5.1f}%\n" for label, p in guesses)
    return lines


def classify_cases(reference):
    both = [(name, name) for name in PICTURES]
    tall = both[:1]
    folder = [("photos/a.jpeg", "wide.jpg"), ("photos/b/a.png", "tall.png"), ("photos/c.PNG", "tall.png")]
    file_labels = ["cat", "dog", "a photo of a cat"]
    return {
        "json": classify_json(reference, both, LABELS),
        "templates": classify_json(reference, both[::-1], ["cat", "dog", "photo"],
                                   templates=("a photo of a {}", "{}, the {}!")),
        "labels_file": classify_json(reference, tall, file_labels),
        "labels_stdin": classify_json(reference, tall, file_labels),
        "stdin_picture": classify_json(reference, [("-", "tall.png")], THREE),
        "folder": classify_json(reference, folder, THREE),
        "unreadable_among": classify_json(reference, both, THREE),
        "table": classify_table(reference, PICTURES, LABELS),
        "top": classify_table(reference, PICTURES[:1], LABELS, top=2),
        "odd_labels": classify_table(reference, PICTURES[:1], ODD),
    }


def similarity_cases(reference):
    logits = torch.stack([reference.logits(name, TEXTS) for name in PICTURES])
    per_image, per_text = logits.softmax(1), logits.T.softmax(1)
    cell = 17  # columns: "   1.234 ( 56.7%)"
    width = max(columns(name) for name in PICTURES)
    table = " " * width + "".join("  " + " " * max(0, cell - columns(t)) + cut(t, 28) for t in TEXTS) + "\n"
    for name, row, chances in zip(PICTURES, logits, per_image):
        table += padded(name, width)
        for text, logit, chance in zip(TEXTS, row, chances):
            gap = " " * max(0, columns(cut(text, 28)) - cell)
            table += f"  {gap}{logit.item():8.3f} ({100 * chance.item():5.1f}%)"
        table += "\n"
    return {
        "json": compact(dict(images=PICTURES, texts=TEXTS, logits_per_image=logits.tolist(),
                             logits_per_text=logits.T.tolist(), probabilities_per_image=per_image.tolist(),
                             probabilities_per_text=per_text.tolist())),
        "table": table,
    }


def cut(text, most):
    return text if columns(text) <= most else text[: most - 1] + "\u2026"


def embed_cases(reference):
    pictures = [("image", name, reference.picture(name).tolist()) for name in PICTURES]
    texts = [("text", text, reference.text(text).tolist()) for text in TEXTS]
    lines = {kind: "".join(compact({what: name, "embedding": values}) for what, name, values in kind_rows)
             for kind, kind_rows in (("all", pictures + texts), ("tall", pictures[:1]))}
    return {
        "json": lines["all"],
        "unreadable_among": lines["tall"],
        "tsv": "".join("\t".join([name] + [f"{value:.9g}" for value in values]) + "\n"
                       for _, name, values in pictures + texts),
    }


def decode_cases(reference):
    """AlignProcessor.decode through the tokenizer's own default for the spaces, and with them kept."""
    ids = [2, 5, 83, 45, 84, 5, 85, 40, 87, 88, 41, 3, 0, 0]
    decode = reference.processor.decode
    return {
        "plain": decode(ids) + "\n",
        "skip_special_tokens": decode(ids, skip_special_tokens=True) + "\n",
        "no_clean_up": decode(ids, clean_up_tokenization_spaces=False) + "\n",
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hub", required=True)
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    logging.set_verbosity_error()
    torch.set_num_threads(1)
    reference = Reference(args.hub)
    cases = dict(classify=classify_cases(reference), similarity=similarity_cases(reference),
                 embed=embed_cases(reference), decode=decode_cases(reference))
    for command, outputs in cases.items():
        for case, text in outputs.items():
            with open(os.path.join(args.out, command, case + ".stdout"), "w", encoding="utf-8") as file:
                file.write(text)


if __name__ == "__main__":
    main()
