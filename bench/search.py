#!/usr/bin/env python3
"""search.py: the exact search of vectors beside FAISS, usearch and sqlite-vec, on the same vectors.

    search.py [--data FOLDER] [--count N] [--threads 1,2] [--kind random|clustered] [--engines align,faiss-flat]

Makes N unit vectors in f16 and queries where FOLDER has none, then asks every engine for the 100 nearest of one query and
of 32 at once, each in a process of its own, in turns; prints medians, the memory that is resident (mapped vectors included), and how many of the true 100
nearest (NumPy, in f32) were found. `reading` is what the same machine needs to read the vectors alone. `align` looks at
mapped vectors, `align-steps` at their int8 copy first, `align-index` goes through <align/search.h> and SQLite; `postgres` and
`postgres-hnsw`, which must be named, go to a server, exactly and through its HNSW index:

    ALIGN_TEST_PGSERVER=PYTHON sh tests/postgres/server.sh run bench/search.py --count 100000 --engines align-index,postgres,postgres-hnsw

Needs build/bench/bench_search (cmake --build build --target bench_search) and the packages of requirements.txt; an engine
that is not installed is left out. --launcher is a command that each measurement runs under.
"""
import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
import time

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
DRIVER = os.environ.get("BENCH_SEARCH", os.path.join(HERE, "..", "build", "bench", "bench_search"))
TOP, BATCH, QUERIES, BLOCK = 100, 32, 32, 50_000
OURS = {"align": "scan", "align-steps": "steps", "align-index": "index", "postgres": "postgres", "postgres-hnsw": "hnsw"}
ENGINES = ["align", "align-steps", "align-index", "faiss-flat", "faiss-sqfp16", "usearch", "sqlite-vec"]


# ---- the vectors ----


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def draw(rng, n, width, centres):
    noise = unit(rng.standard_normal((n, width), dtype=np.float32))
    return noise if centres is None else unit(0.8 * centres[rng.integers(len(centres), size=n)] + 0.6 * noise)


def make(folder, args):
    os.makedirs(folder, exist_ok=True)
    rng = np.random.default_rng(7)
    centres = unit(rng.standard_normal((1000, args.width), dtype=np.float32)) if args.kind == "clustered" else None
    draw(rng, QUERIES, args.width, centres).tofile(f"{folder}/queries")
    with open(f"{folder}/vectors.part", "wb") as file:
        for begin in range(0, args.count, BLOCK):
            draw(rng, min(BLOCK, args.count - begin), args.width, centres).astype(np.float16).tofile(file)
    os.rename(f"{folder}/vectors.part", f"{folder}/vectors")


def load(folder, width):
    vectors = np.memmap(f"{folder}/vectors", np.float16, "r").reshape(-1, width)
    return vectors, np.fromfile(f"{folder}/queries", np.float32).reshape(-1, width)


def nearest(folder, width):
    """The places of the nearest, found block by block in f32."""
    if not os.path.exists(f"{folder}/truth.npy"):
        vectors, queries = load(folder, width)
        scores = np.concatenate([queries @ vectors[i : i + BLOCK].astype(np.float32).T for i in range(0, len(vectors), BLOCK)], axis=1)
        np.save(f"{folder}/truth.npy", np.argsort(-scores, axis=1, kind="stable")[:, :TOP])
    return np.load(f"{folder}/truth.npy")


# ---- the engines: each gives a function that takes queries and returns [n, TOP] places ----


def faiss_engine(kind, vectors, width, threads):
    import faiss

    faiss.omp_set_num_threads(threads)
    metric = faiss.METRIC_INNER_PRODUCT
    index = faiss.IndexFlatIP(width) if kind == "flat" else faiss.IndexScalarQuantizer(width, faiss.ScalarQuantizer.QT_fp16, metric)
    for i in range(0, len(vectors), BLOCK):
        block = vectors[i : i + BLOCK].astype(np.float32)
        if not index.is_trained:
            index.train(block)
        index.add(block)
    return lambda queries: index.search(queries, TOP)[1]


def usearch_engine(vectors, threads):
    from usearch.index import MetricKind, search

    data = np.ascontiguousarray(vectors)
    return lambda queries: search(data, queries.astype(np.float16), TOP, MetricKind.IP, exact=True, threads=threads).keys.reshape(-1, TOP)


def sqlite_engine(folder, vectors, width):
    import pysqlite3 as sqlite3  # Python's own cannot load extensions everywhere
    import sqlite_vec

    base = sqlite3.connect(f"{folder}/sqlite-vec.db")
    base.enable_load_extension(True)
    sqlite_vec.load(base)
    if not base.execute("select 1 from sqlite_master").fetchone():
        base.execute(f"create virtual table v using vec0(embedding float[{width}] distance_metric=cosine)")
        for i in range(0, len(vectors), BLOCK):
            rows = vectors[i : i + BLOCK].astype(np.float32)
            base.executemany("insert into v(rowid, embedding) values (?, ?)", ((i + j + 1, row.tobytes()) for j, row in enumerate(rows)))
        base.commit()

    def ask(queries):
        sql = "select rowid from v where embedding match ? and k = ? order by distance"
        return np.array([[row[0] - 1 for row in base.execute(sql, (q.tobytes(), TOP))] for q in queries])

    return ask


def resident_mb():
    with open("/proc/self/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS:")) / 1024


def timed(ask, queries, seconds):
    times = []
    while len(times) < 3 or sum(times) < seconds:
        begin = time.perf_counter()
        ask(queries)
        times.append(time.perf_counter() - begin)
        if times[-1] > 10 * seconds:
            break
    return statistics.median(times) * 1e3


def measure_peer(name, folder, args, threads):
    vectors, queries = load(folder, args.width)
    if name.startswith("faiss"):
        ask = faiss_engine(name[6:], vectors, args.width, threads)
    elif name == "usearch":
        ask = usearch_engine(vectors, threads)
    else:
        ask = sqlite_engine(folder, vectors, args.width)
    del vectors  # what an engine has not copied it does not need
    ask(queries[:1])
    one = timed(ask, queries[:1], args.seconds)
    batch = timed(ask, queries[:BATCH], args.seconds)
    np.asarray(ask(queries), np.int64).tofile(f"{folder}/found")
    return {"one_ms": one, "batch_ms": batch, "memory_mb": resident_mb()}


# ---- the comparison ----


def run(name, folder, args, threads):
    """One turn of one engine in a process of its own; None where it is not there."""
    launcher = shlex.split(args.launcher)
    if name in OURS:
        numbers = [args.count, args.width, QUERIES, TOP, BATCH, threads, args.seconds]
        command = [DRIVER, OURS[name], folder] + [str(n) for n in numbers]
    else:
        command = [sys.executable, os.path.abspath(__file__), "--only", name, "--data", args.data, "--count", str(args.count), "--width",
                   str(args.width), "--kind", args.kind, "--threads", str(threads), "--seconds", str(args.seconds)]
    limits = {variable: str(threads) for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    done = subprocess.run(launcher + command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **limits}, check=False)
    if done.returncode:
        print(f"{name}: left out: {done.stderr.strip().splitlines()[-1] if done.stderr.strip() else done.returncode}", file=sys.stderr)
        return None
    result = json.loads(done.stdout.splitlines()[-1])
    found, truth = np.fromfile(f"{folder}/found", np.int64).reshape(QUERIES, TOP), nearest(folder, args.width)
    if result.get("filled_s", 0) > 0:
        print(f"{name}: {args.count / result['filled_s']:.0f} vectors a second when it was filled", file=sys.stderr)
    result["recall"] = float(np.mean([len(np.intersect1d(f, t)) / TOP for f, t in zip(found, truth)]))
    return result


def compare(folder, args, threads):
    turns = {name: [] for name in args.engines}
    for _ in range(args.turns):
        for name in args.engines:
            if name == "sqlite-vec" and threads > 1:  # has one thread only
                continue
            result = run(name, folder, args, threads)
            if result:
                turns[name].append(result)
    reads = [r["read_ms"] for results in turns.values() for r in results if r.get("read_ms")]
    print(f"\n{args.count:,} x {args.width}, {args.kind}, {threads} thread{'s' * (threads > 1)}: medians of {args.turns} turns, ms\n")
    print("| | one query | 32 at once | memory, MB | recall@100 |\n|---|---|---|---|---|")
    if reads:
        print(f"| reading the f16 vectors | {statistics.median(reads):.1f} | | | |")
    for name, results in turns.items():
        if results:
            one, batch, memory, recall = (statistics.median(r[key] for r in results) for key in ("one_ms", "batch_ms", "memory_mb", "recall"))
            print(f"| {name} | {one:.1f} | {batch:.1f} | {memory:.0f} | {recall:.4f} |")
    sys.stdout.flush()


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="search-data", help="where vectors are, or are made")
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--width", type=int, default=640)
    parser.add_argument("--kind", choices=("random", "clustered"), default="random")
    parser.add_argument("--threads", default="1")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--engines", type=lambda text: text.split(","), default=ENGINES)
    parser.add_argument("--launcher", default="")
    parser.add_argument("--only", help=argparse.SUPPRESS)
    return parser.parse_args()


def main():
    args = arguments()
    folder = os.path.join(args.data, f"{args.kind}-{args.count}-{args.width}")
    if args.only:
        print(json.dumps(measure_peer(args.only, folder, args, int(args.threads))))
        return
    if not os.path.exists(f"{folder}/vectors"):
        make(folder, args)
    nearest(folder, args.width)
    for threads in args.threads.split(","):
        compare(folder, args, int(threads))


if __name__ == "__main__":
    main()
