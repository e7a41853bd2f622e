#!/usr/bin/env python3
"""Tokenizer goldens: folders of many kinds, and what the reference makes of texts, ids and saving with each.

    python make_tokenizer.py ../golden/processor/tokenizer

Needs transformers==4.37.2 and tokenizers==0.15.2 (requirements.txt). Texts hold no U+0000, which a C string cannot.
"""
import json
import os
import random
import shutil
import sys
import zlib

os.environ["TOKENIZERS_PARALLELISM"] = "false"

import tokenizers
import transformers
from tokenizers import normalizers, pre_tokenizers
from transformers import BertTokenizerFast

assert transformers.__version__ == "4.37.2" and tokenizers.__version__ == "0.15.2"
transformers.logging.set_verbosity(50)

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = """the a photo of cat dog man new york day don t s ve re m n do not é ö ss ß σ ς привет мир ابو 한 국 ᄒ ᅡ ᆫ 中 文 野 口
           ##s ##ing ##ed ##to ##hoto ##at ##og ##tt ##é ##о ##ет ##ᅡ ##ᆫ ##️ ##‍ ❤ 👨 👩 ##👩 ▁ ½ ##½ i ##i̇ ##̇""".split()
VOCABULARY = (SPECIAL[:1] + ["[unused0]"] + SPECIAL[1:]
              + list(dict.fromkeys(list("""!"#$%&'()*+,-./:;<=>?@[]^_`{|}~""") + list("abcdefghijklmnopqrstuvwxyz0123456789AB")
                                   + ["##" + c for c in "abcdefghijklmnop0123"] + WORDS)))
TEXTS = [
    "", " ", "\n\t\r ", "a photo of a cat", "A PHOTO of a CaT!", "Don't stop, it's the man's new-york day...", "[CLS] a [SEP][MASK]b[PAD]",
    "[cls] [ CLS ] [UNK]x", "na\u00efve caf\u00e9 \u00c9\u00c9 \u00d6 \u1e9e \u00df", "\u0130stanbul \u0131I\u0130", "\u03a3\u03af\u03c3\u03c5\u03c6\u03bf\u03c2 \u03a3",
    "\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440 \u0439\u0401", "\u0627\u064e\u0628\u064f\u0648 \u0634\u0651\u064e", "\u05e9\u05c1\u05b8\u05dc\u05d5\u05b9\u05dd",
    "\ud55c\uad6d\uc5b4 \ud55c \u1112\u1161\u11ab \u1112\u1161", "\u4e2d\u6587\u6d4b\u8bd5 abc\u91cedef", "\uf900\ufa2f\U0002f800\U0002b81f\U0002b820\U0002b91f\U0002b920\U0002ceaf\U0002ceb0",
    "e\u0301 e\u0316\u0301 e\u0301\u0316 a\u0344\u0316 \u0344\u0316x \u0f73\u0f81\u0f71 \U0001d15f\U0001d160\u0316 q\u0323\u0307 q\u0307\u0323 \u1e9b\u0323",
    "\u0316\u0301\u0334 leading", "a\u302e\u0316b a\u0316\u302eb \U0001d165\U0001d16e\u0301", "x\u0378\u0301\u035c\u0345\u0334y",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467 \u2764\ufe0f \U0001f1e9\U0001f1ea \U0001f44d\U0001f3fd", "a\u200bb\u200cc\u200dd\ufeffe\u00adf\u2060g",
    "a\u00a0b\u1680c\u2003d\u2028e\u2029f\u202fg\u205fh\u3000i\u0085j\u180ek", "\u202eabc\u202c \u2066x\u2069", "a\ufffdb \ufffd", "\ue000\uf8ff \U000f0000\U0010fffd",
    "\ufdd0\ufffe\uffff \U0001fffe\U0010ffff", "\U000e0001\U000e0041\U000e007f", "\x01\x02a\x7fb\x1bc\x0bd\x0ce", "\u00bfqu\u00e9? \u00a1s\u00ed! \u2014\u2026\u201cx\u201d\u3002\uff0c\u1400\u166d",
    "\u16ed\u1734\u17b4x \U000111c9 \u2e43 \u2e5d \U00011ff0", "a" * 100, "a" * 101, "\u00e9" * 100, "e\u0301" * 101, "\u4e2d" * 120, "##a a##b #", "\ud55c" * 34, "\u1e69\u0323\u0307",
    "<a>x <a> y<b>z  <b>  day DAY Day DayX new york newyork", "  <c>  <c>  ", "<a><a", "\u00c9x x\u00c9 _\u00c9_", "ing singing -ing", "x<d>y <d> <d>. 9<d>", "a  [MASK]  b",
]
RANGES = [(0x20, 0x7F), (0xA0, 0x250), (0x300, 0x370), (0x370, 0x530), (0x590, 0x800), (0x900, 0xE00), (0x1100, 0x1200), (0x1DC0, 0x2100), (0x3400, 0x3420),
          (0x9FF0, 0xA010), (0xAC00, 0xD7A4), (0xF900, 0xFB50), (0x1D15E, 0x1D1AD), (0x1F300, 0x1F650), (0xE000, 0x110000)]


def random_text(rng):
    def word():
        if rng.random() < 0.5:
            return rng.choice(VOCABULARY).replace("##", "") * rng.choice([1, 1, 2])
        first, last = rng.choice(RANGES)
        other = rng.choice(RANGES)
        return "".join(chr(rng.randrange(*((first, last) if rng.random() < 0.7 else other))) for _ in range(rng.randint(1, 5)))

    return "".join(word() + rng.choice(["", " ", " ", "  "]) for _ in range(rng.choice([1, 2, 3, 5, 9])))


def token(content, **flags):
    return {"content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": False, **flags}


def tokenizer_json(added=(), **changes):
    ids = {t: i for i, t in enumerate(VOCABULARY)}
    numbered = dict(ids)
    listed = [token(t, special=True) for t in SPECIAL] + list(added)
    for t in listed:
        numbered.setdefault(t["content"], len(numbered))
    special = {t: {"id": t, "ids": [ids[t]], "tokens": [t]} for t in ("[CLS]", "[SEP]")}

    def piece(kind, name, type_id):
        return {kind: {"id": name, "type_id": type_id}}

    single = [piece("SpecialToken", "[CLS]", 0), piece("Sequence", "A", 0), piece("SpecialToken", "[SEP]", 0)]
    tree = {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [{"id": numbered[t["content"]], **t} for t in listed],
        "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "TemplateProcessing", "single": single,
                           "pair": single + [piece("Sequence", "B", 1), piece("SpecialToken", "[SEP]", 1)], "special_tokens": special},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100, "vocab": ids},
    }
    for key, value in changes.items():
        tree[key] = {**tree[key], **value} if isinstance(tree[key], dict) else value
    return tree


def decoder_json(*more):
    ids = {t: i for i, t in enumerate(VOCABULARY)}
    listed = {str(ids[t]): token(t, special=True) for t in SPECIAL}
    return {**listed, **{str(len(VOCABULARY) + i): t for i, t in enumerate(more)}}


ADDED = [token("<a>"), token("<b>", lstrip=True, rstrip=True), token("Day", normalized=True, single_word=True), token("new york", normalized=True),
         token("\u00c9", normalized=True), token("ing", single_word=True), token("<d>", single_word=True, special=True), token("<c>", rstrip=True, lstrip=True, special=True)]
TINY = ["[UNK]", "a", "##b", "[PAD]", "the", "", "##e", "[SEP]", ",", "cat", "a", "##s", "[CLS]", "photo"]
LEFT = {"truncation": {"direction": "Left", "max_length": 7, "strategy": "OnlyFirst", "stride": 1},
        "padding": {"strategy": {"Fixed": 9}, "direction": "Left", "pad_to_multiple_of": 3, "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"}}
SWAPPED = {"post_processor": {"pair": [{"Sequence": {"id": "B", "type_id": 3}}, {"SpecialToken": {"id": "[SEP]", "type_id": 2}},
                                       {"Sequence": {"id": "A", "type_id": 1}}]}}
BERT = {"post_processor": {"type": "BertProcessing", "sep": ["[SEP]", VOCABULARY.index("[SEP]")], "cls": ["[CLS]", VOCABULARY.index("[CLS]")]}}

# name: {file: tree or text}
FOLDERS = {
    "plain": {"tokenizer.json": tokenizer_json(), "tokenizer_config.json": {"model_max_length": 64, "added_tokens_decoder": decoder_json(), "do_lower_case": True,
              "strip_accents": None, "tokenize_chinese_chars": True, "tokenizer_class": "BertTokenizer", "processor_class": "AlignProcessor"}},
    "cased": {"tokenizer.json": tokenizer_json(), "tokenizer_config.json": {"do_lower_case": False, "model_max_length": int(1e30), "clean_up_tokenization_spaces": False}},
    "strip_only": {"tokenizer.json": tokenizer_json(), "tokenizer_config.json": {"do_lower_case": False, "strip_accents": True, "max_len": 20}},
    "lower_only": {"tokenizer.json": tokenizer_json(), "tokenizer_config.json": {"strip_accents": False, "tokenize_chinese_chars": False}},
    "unclean": {"tokenizer.json": tokenizer_json(normalizer={"clean_text": False, "lowercase": False}, model={"max_input_chars_per_word": 5},
                                                 decoder={"cleanup": False}), "tokenizer_config.json": {}},
    "added": {"tokenizer.json": tokenizer_json(ADDED), "tokenizer_config.json": {"added_tokens_decoder": decoder_json(), "additional_special_tokens": ["<a>", "x y"]}},
    "added_cased": {"tokenizer.json": tokenizer_json(ADDED, normalizer={"lowercase": False}), "tokenizer_config.json": {
        "added_tokens_decoder": decoder_json(token("<e>", normalized=True, lstrip=True), token("<b>")), "do_lower_case": False, "additional_special_tokens": []}},
    "legacy": {"vocab.txt": "\n".join(VOCABULARY) + "\n", "added_tokens.json": {"<zz>": len(VOCABULARY), "<b>": len(VOCABULARY) + 1},
               "special_tokens_map.json": {"cls_token": "<c>", "mask_token": {"content": "[MASK]", "lstrip": True, "rstrip": False, "normalized": False, "single_word": False},
                                           "additional_special_tokens": ["<b>", {"content": "<a>", "lstrip": False, "rstrip": True, "normalized": False, "single_word": False}]}},
    "tiny": {"vocab.txt": "\r\n".join(TINY[:10] + ["##t"] + TINY[11:]), "tokenizer_config.json": {"model_max_length": 5}},
    "holes": {"vocab.txt": "\n".join(TINY[:11] + ["[MASK]"] + TINY[12:])},
    "left": {"tokenizer.json": tokenizer_json(**LEFT), "tokenizer_config.json": {}},
    "swapped": {"tokenizer.json": tokenizer_json(**SWAPPED), "tokenizer_config.json": {"truncation_side": "left"}},
    "bert": {"tokenizer.json": {**tokenizer_json(), **BERT}},
}

PADDING = ["max_length", "longest", "do_not_pad"]
TRUNCATION = ["do_not_truncate", "longest_first", "only_first", "only_second"]
ROWS = ["input_ids", "token_type_ids", "attention_mask", "special_tokens_mask", "offset_mapping"]
PLAIN_CALL = {"padding": 2, "truncation": 0, "max_length": -1, "pad_to_multiple_of": 0, "add_special_tokens": True, "stride": 0,
              "return_overflowing_tokens": False, "pad_left": False}


def encode(tokenizer, call):
    inputs = list(zip(call["texts"], call["pairs"])) if "pairs" in call else call["texts"]
    side = tokenizer.padding_side
    if call["pad_left"]:
        tokenizer.padding_side = "left"
    try:
        out = tokenizer(inputs, padding=PADDING[call["padding"]], truncation=TRUNCATION[call["truncation"]],
                        max_length=None if call["max_length"] < 0 else call["max_length"], pad_to_multiple_of=call["pad_to_multiple_of"] or None,
                        add_special_tokens=call["add_special_tokens"], stride=call["stride"],
                        return_overflowing_tokens=call["return_overflowing_tokens"], return_offsets_mapping=True, return_special_tokens_mask=True)
    except BaseException as error:  # Rust panics are not Exceptions
        return {"error": type(error).__name__}
    finally:
        tokenizer.padding_side = side
    rows = {key: out[key] for key in ROWS}
    rows["offset_mapping"] = [[n for pair in row for n in pair] for row in rows["offset_mapping"]]
    rows["sample"] = out.get("overflow_to_sample_mapping", list(range(len(call["texts"]))))
    return rows


def random_call(rng):
    call = {"padding": rng.randrange(3), "truncation": rng.choice([0, 1, 1, 2, 3]), "max_length": rng.choice([-1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 20]),
            "pad_to_multiple_of": rng.choice([0, 0, 0, 2, 4]), "add_special_tokens": rng.random() < 0.8, "stride": rng.choice([0, 0, 1, 2]),
            "return_overflowing_tokens": rng.random() < 0.6, "pad_left": rng.random() < 0.2, "texts": [random_text(rng) for _ in range(rng.choice([1, 2, 3]))]}
    if rng.random() < 0.5:
        call["pairs"] = [random_text(rng) for _ in call["texts"]]
    return call


def write(path, value):
    with open(path, "w", encoding="utf-8", newline="") as f:
        f.write(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n")


def make_folder(out, name, files):
    rng = random.Random(name)
    folder = os.path.join(out, name)
    os.makedirs(folder)
    for file, value in files.items():
        write(os.path.join(folder, file), value)
    tokenizer = BertTokenizerFast.from_pretrained(folder)
    tokenizer.save_pretrained(os.path.join(folder, "saved"))
    small = len(TEXTS) if name in ("plain", "added") else 24
    calls = [{**PLAIN_CALL, "texts": TEXTS if name in ("plain", "added", "added_cased", "unclean", "strip_only") else rng.sample(TEXTS, small)},
             {**PLAIN_CALL, "texts": [random_text(rng) for _ in range(60 if name == "plain" else 20)]}]
    calls += [random_call(rng) for _ in range(60 if name in ("plain", "left", "swapped") else 12)]
    calls = [{**call, **encode(tokenizer, call)} for call in calls]
    decodes = []
    size = len(tokenizer)
    for i in range(24):
        ids = [rng.randrange(size + 3) for _ in range(rng.choice([0, 1, 4, 12]))]
        skip, clean = i % 2 == 0, [None, True, False][i % 3]
        decodes.append({"ids": ids, "skip": skip, "clean": -1 if clean is None else int(clean),
                        "text": tokenizer.decode(ids, skip_special_tokens=skip, clean_up_tokenization_spaces=clean)})
    tokens = {t: tokenizer._tokenizer.token_to_id(t) for t in ["[CLS]", "<a>", "day", "", "nothing"]}
    with open(os.path.join(folder, "cases.json"), "w", encoding="utf-8") as f:
        f.write('{"size":%d,"tokens":%s,"calls":[\n' % (size, json.dumps({k: -1 if v is None else v for k, v in tokens.items()})))
        f.write(",\n".join(json.dumps(c, ensure_ascii=False, separators=(",", ":")) for c in calls))
        f.write('\n],"decodes":[\n' + ",\n".join(json.dumps(d, ensure_ascii=False, separators=(",", ":")) for d in decodes) + "\n]}\n")


VARIANTS = [(True, True, True, True), (True, False, False, False), (False, True, False, True), (True, False, True, False), (False, False, True, True)]


def unicode_pages(path):
    """A checksum for every 256 code points of what five normalizers and the pre-tokenizer do to "x<code point>y"."""
    normalize = [normalizers.BertNormalizer(*v).normalize_str for v in VARIANTS]
    split = pre_tokenizers.BertPreTokenizer().pre_tokenize_str
    sums = []
    for page in range(0, 0x110000, 256):
        checksum = 0
        for c in range(page, page + 256):
            if c == 0 or 0xD800 <= c <= 0xDFFF:
                continue
            text = "x" + chr(c) + "y"
            seen = "\n".join([n(text) for n in normalize] + ["%d-%d" % offsets for _, offsets in split(text)])
            checksum = zlib.crc32(seen.encode("utf-8"), checksum)
        sums.append("%08x" % checksum)
    with open(path, "w", encoding="ascii") as f:
        for first in range(0, len(sums), 13):
            f.write(" ".join(sums[first:first + 13]) + "\n")


def main(out):
    shutil.rmtree(out, ignore_errors=True)
    os.makedirs(out)
    for name, files in FOLDERS.items():
        make_folder(out, name, files)
    unicode_pages(os.path.join(out, "unicode_pages.txt"))


if __name__ == "__main__":
    main(sys.argv[1])
