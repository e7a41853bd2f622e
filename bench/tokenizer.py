#!/usr/bin/env python3
"""tokenizer.py: align's tokenizer beside the Rust `tokenizers` package (BertTokenizerFast's), one thread each.

    tokenizer.py [FOLDER]       FOLDER holds tokenizer.json; default: the model that ships

Both encode the same list of texts in one call, in turns of a second; ids and their number must agree. Captions are padded
to 64 tokens as the processor does by default, paragraphs are not. Needs tokenizers 0.15.2 and build/bench/bench_preparation
(cmake --build build --target bench_preparation). Fails if align is not LEAST times as fast everywhere.
"""
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

os.environ.update(TOKENIZERS_PARALLELISM="false", RAYON_NUM_THREADS="1")
HERE = os.path.dirname(os.path.abspath(__file__))
DRIVER = os.environ.get("BENCH_PREPARATION", os.path.join(HERE, "..", "build", "bench", "bench_preparation"))
LEAST, TURNS, SECONDS = 10, 3, 0.5

SUBJECTS = ("a brown dog", "two children", "an old fisherman", "the bride and groom", "a red double-decker bus", "a woman in a blue dress",
            "several sheep", "a man wearing sunglasses", "a plate of spaghetti", "a tabby cat", "the astronaut", "a street musician")
ACTIONS = ("running along", "standing next to", "looking at", "sitting on", "waiting behind", "photographed from above near",
           "reflected in", "leaning against", "surrounded by", "walking past")
PLACES = ("a sandy beach at sunset", "the Brandenburg Gate", "a wooden table", "snow-covered mountains", "a busy intersection in Tokyo",
          "an unmade bed", "the kitchen counter, with vegetables", "a lighthouse (1887)", "graffiti walls", "a vintage typewriter")
FOREIGN = (
    "Ein Hund läuft über die grüne Wiese vor dem Haus.", "Une vieille dame achète des pêches au marché de Besançon.",
    "El niño pequeño corrió detrás de la pelota, ¿no?", "Кошка спит на подоконнике рядом с цветами.",
    "Ένα καράβι μπαίνει στο λιμάνι το πρωί.", "कुत्ता नदी के किनारे दौड़ रहा है।", "القطة تنام على السرير الأزرق.",
    "一只熊猫在竹林里吃竹子。", "夕方の駅で電車を待つ人々。", "강아지가 눈 덮인 산을 바라보고 있다.",
    "Chú mèo đang ngủ trên chiếc ghế màu đỏ.", "Psík běží přes zahradu za žlutým míčem.", "แมวนอนหลับบนโซฟา", "A pizza 🍕 and a panda 🐼 on the moon 🌙!",
)


def workloads():
    captions = [" ".join(words) + "." for words in itertools.product(SUBJECTS, ACTIONS, PLACES)]
    foreign = [a + " " + b for a, b in itertools.product(FOREIGN, FOREIGN)] * 5
    paragraphs = [" ".join(captions[i : i + 60]) for i in range(0, len(captions), 12)]
    return {"captions": (captions, 64), "captions, multilingual": (foreign, 64), "paragraphs": (paragraphs, 0),
            "paragraphs, multilingual": ([" ".join(foreign[i : i + 30]) for i in range(0, len(foreign), 10)], 0)}


def ours(folder, path, length):
    command = [DRIVER, "texts", folder, path, str(length), str(SECONDS)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def theirs(tokenizer, texts):
    times = []
    encodings = tokenizer.encode_batch(texts)
    ids = [id for encoding in encodings for id in encoding.ids]
    while len(times) < 3 or sum(times) < SECONDS:
        begin = time.perf_counter()
        encodings = tokenizer.encode_batch(texts)
        times.append(time.perf_counter() - begin)
    return {"median_ms": statistics.median(times) * 1e3, "tokens": len(ids), "sum": sum(ids)}


def main(folder):
    try:
        import tokenizers
    except ImportError:
        print("tokenizers is not installed: pip install -r bench/requirements.txt")
        return False
    print(f"one thread, medians of {TURNS} turns; tokenizers {tokenizers.__version__}\n")
    print("texts                        texts   tokens   align us/text   tokenizers   ratio")
    slow = False
    for name, (texts, length) in workloads().items():
        tokenizer = tokenizers.Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        if length:
            tokenizer.enable_padding(length=length, pad_id=tokenizer.token_to_id("[PAD]"))
        with tempfile.NamedTemporaryFile("w", encoding="utf-8") as file:
            file.write("\n".join(texts))
            file.flush()
            turns = [(ours(folder, file.name, length), theirs(tokenizer, texts)) for _ in range(TURNS)]
        for a, b in turns:
            if (a["tokens"], a["sum"]) != (b["tokens"], b["sum"]):
                sys.exit(f"{name}: other tokens: {a}, {b}")
        mine, other = (statistics.median(turn[i]["median_ms"] for turn in turns) for i in (0, 1))
        slow |= other / mine < LEAST
        print(f"{name:27} {len(texts):6} {turns[0][0]['tokens']:8} {mine / len(texts) * 1e3:15.2f} {other / len(texts) * 1e3:12.2f}"
              f" {other / mine:6.1f}x", flush=True)
    return slow


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else os.path.join(HERE, "..", "models", "emoji")))
