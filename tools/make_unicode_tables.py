#!/usr/bin/env python3
"""Writes src/processor/unicode_tables.c: what BERT's fast tokenizer knows about every code point.

The facts are not taken from any copy of the Unicode database but from the tokenizer itself: each property is asked for
by running the reference over all code points, so the tables hold exactly the (old, mixed) Unicode versions it has.

    pip install tokenizers==0.15.2
    python tools/make_unicode_tables.py src/processor/unicode_tables.c
"""
import sys
import unicodedata

import tokenizers
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers

assert tokenizers.__version__ == "0.15.2", tokenizers.__version__

LAST = 0x10FFFF
SPACE, DROP, PUNCTUATION, MARK, WORD, DECOMPOSES = 1, 2, 4, 8, 16, 32
HANGUL = range(0xAC00, 0xAC00 + 11172)
DOTTED_CAPITAL_I = 0x130
BLOCK = 128


def code_points():
    return (c for c in range(LAST + 1) if not 0xD800 <= c <= 0xDFFF)


def split_classes(flags):
    """White space and punctuation, from the pre-tokenizer."""
    split = pre_tokenizers.BertPreTokenizer().pre_tokenize_str
    for c in code_points():
        pieces = [text for text, _ in split("x" + chr(c) + "y")]
        if pieces == ["x", "y"]:
            flags[c] |= SPACE
        elif pieces == ["x", chr(c), "y"]:
            flags[c] |= PUNCTUATION
        else:
            assert pieces == ["x" + chr(c) + "y"], hex(c)


def clean_classes(flags):
    """What clean_text drops; what it turns to a space must be the pre-tokenizer's white space."""
    clean = normalizers.BertNormalizer(True, False, False, False).normalize_str
    for c in code_points():
        text = clean("x" + chr(c) + "y")
        if text == "xy":
            flags[c] |= DROP
        elif text == "x y":
            assert flags[c] & SPACE, hex(c)
        else:
            assert text == "x" + chr(c) + "y", hex(c)
    # White space that is dropped never reaches the pre-tokenizer when clean_text is on: both flags may be set.


def decompositions(flags):
    """Full canonical decompositions. Hangul syllables follow the algorithm and need no table."""
    nfd = normalizers.NFD().normalize_str
    table = {}
    for c in code_points():
        text = nfd(chr(c))
        if c in HANGUL:
            i = c - HANGUL.start
            want = [0x1100 + i // 588, 0x1161 + i % 588 // 28] + ([0x11A7 + i % 28] if i % 28 else [])
            assert [ord(d) for d in text] == want, hex(c)
            flags[c] |= DECOMPOSES
        elif text != chr(c):
            table[c] = [ord(d) for d in text]
            flags[c] |= DECOMPOSES
    assert max(map(len, table.values())) <= 4
    return table


def combining_classes(table):
    """Canonical combining classes, found by how the reference orders each code point against one of every class."""
    nfd = normalizers.NFD().normalize_str

    def goes_before(c, other):
        return chr(c) != other and nfd("x" + other + chr(c)) == "x" + chr(c) + other

    samples = {}
    for c in code_points():
        k = unicodedata.combining(chr(c))
        if k and k not in samples and nfd(chr(c)) == chr(c) and (goes_before(c, "\u0345") or k == 240):
            samples[k] = chr(c)
    order = sorted(samples)
    for k, higher in zip(order, order[1:]):
        assert goes_before(ord(samples[k]), samples[higher]) and not goes_before(ord(samples[higher]), samples[k])
    lowest, highest = samples[order[0]], samples[order[-1]]
    classes = {}
    for c in code_points():
        if c in table or c in HANGUL:
            continue  # never seen after decomposition
        if goes_before(c, highest):
            classes[c] = max([k for k in order if not goes_before(c, samples[k])], default=order[0])
        elif nfd("x" + chr(c) + lowest) == "x" + lowest + chr(c):
            classes[c] = order[-1]
    for c, text in table.items():  # what the alignment rule in normalizer.c relies on
        kinds = [classes.get(d, 0) for d in text]
        assert all(a <= b or b == 0 for a, b in zip(kinds, kinds[1:])), hex(c)
    return classes


def marks(flags, table):
    """Mn: what strip_accents removes from decomposed text."""
    strip = normalizers.BertNormalizer(False, False, True, False).normalize_str
    for c in code_points():
        if not flags[c] & DECOMPOSES and strip("x" + chr(c) + "y") == "xy":
            flags[c] |= MARK


def lower_case():
    lower = normalizers.Lowercase().normalize_str
    deltas = {}
    for c in code_points():
        text = lower(chr(c))
        if c == DOTTED_CAPITAL_I:  # the only one that becomes two code points
            assert text == "i\u0307"
            continue
        assert len(text) == 1, hex(c)
        if ord(text) != c:
            deltas[c] = ord(text) - c
    return deltas


def word_classes(flags):
    """The \\w and \\s of the regular expressions that single_word, lstrip and rstrip use."""
    tokenizer = Tokenizer(models.WordPiece({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.add_tokens([AddedToken("[W]", single_word=True, normalized=False),
                          AddedToken("[R]", rstrip=True, normalized=False)])
    word, right = tokenizer.token_to_id("[W]"), tokenizer.token_to_id("[R]")
    for c in code_points():
        if word not in tokenizer.encode("[W]" + chr(c)).ids:
            flags[c] |= WORD
        encoding = tokenizer.encode("[R]" + chr(c))
        assert (encoding.ids == [right]) == bool(flags[c] & SPACE), hex(c)


def wrap(numbers):
    lines, line = [], "   "
    for n in map(str, numbers):
        if len(line) + len(n) + 2 > 120:
            lines.append(line)
            line = "   "
        line += " " + n + ","
    return "\n".join(lines + [line])


def main(path):
    flags = [0] * (LAST + 1)
    split_classes(flags)
    clean_classes(flags)
    word_classes(flags)
    table = decompositions(flags)
    marks(flags, table)
    classes = combining_classes(table)
    deltas = lower_case()

    records, index = {}, []
    for c in range(LAST + 1):
        record = (flags[c], classes.get(c, 0), deltas.get(c, 0))
        index.append(records.setdefault(record, len(records)))
    assert len(records) <= 256, len(records)
    blocks, pages = {}, []
    for first in range(0, LAST + 1, BLOCK):
        pages.append(blocks.setdefault(tuple(index[first:first + BLOCK]), len(blocks)))
    assert len(blocks) <= 256, len(blocks)

    firsts, pool = [], []
    for c in sorted(table):
        firsts.append((c, len(pool)))
        pool += table[c]
    with open(path, "w", encoding="ascii") as out:
        out.write(f"""/*
 * unicode_tables.c: generated by tools/make_unicode_tables.py with tokenizers {tokenizers.__version__}; do not edit.
 *
 * {len(records)} different sets of properties, {len(blocks)} different blocks of {BLOCK} code points, {len(table)} decompositions.
 */
/* clang-format off */
#include "processor/unicode_tables.h"

const al_unicode al_unicode_records[{len(records)}] = {{
{wrap("{%d, %d, %d}" % record for record in records)}
}};

const uint8_t al_unicode_pages[{len(pages)}] = {{
{wrap(pages)}
}};

const uint8_t al_unicode_blocks[{len(blocks)}][AL_UNICODE_BLOCK] = {{
""")
        for block in blocks:
            out.write("    {\n" + wrap(block) + "\n    },\n")
        out.write(f"""}};

const uint16_t al_unicode_decomposition_count = {len(firsts)};

const al_unicode_decomposition al_unicode_decompositions[{len(firsts) + 1}] = {{
{wrap("{%d, %d}" % pair for pair in firsts + [(LAST + 1, len(pool))])}
}};

const uint32_t al_unicode_pool[{len(pool)}] = {{
{wrap(pool)}
}};
""")


if __name__ == "__main__":
    main(sys.argv[1])
