#!/usr/bin/env python3
"""compare.py: align beside what a user would pick instead, on one checkpoint and the same inputs.

    compare.py make DIR                     what is missing of: the full-size model with random weights, inputs, expected
                                            features, ONNX and quantised files (2.5 GB; keep it out of git)
    compare.py time DIR --engine ov         one engine, one JSON object a line
    compare.py compare DIR                  every engine in turns, then the ratios of their medians

Every engine runs in a process of its own, pinned to the same cores, and they take turns, so that a noisy machine disturbs
all of them alike; the medians of the turns are compared. Absolute times mean nothing across machines: quote the ratios.
An engine that is not installed, or whose files could not be made, is named and left out.

Made with: bench/requirements.txt.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

import full_model
from engines import ENGINES, file_of, missing

BATCHES = {"image": (1, 8), "text": (1, 8, 32), "caption": (1, 32)}
PRECISIONS = ("f32", "bf16", "int8")
HERE = os.path.dirname(os.path.abspath(__file__))

# What holds an engine to an older instruction set than the machine has, besides hold_<isa>.c, which hides the newer ones.
ISAS = {"native": {},
        "avx2": {"ALIGN_ISA": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2",
                 "MKL_ENABLE_INSTRUCTIONS": "AVX2"}}
SPIN_SECONDS = 0.3  # how long an idle thread pool may keep a core busy after its turn


def commas(kind=str):
    return lambda text: [kind(part) for part in text.split(",") if part]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["make", "time", "compare"])
    parser.add_argument("dir")
    parser.add_argument("--engine", default="align", choices=["align"] + list(ENGINES), help="time: which one")
    parser.add_argument("--peers", type=commas(), default=list(ENGINES), help="compare: engines beside align (default: all)")
    parser.add_argument("--align", default=os.path.join(HERE, "..", "build", "align"), help="the command to time")
    parser.add_argument("--model", help="the folder that align opens instead of DIR, as one with packed weights")
    parser.add_argument("--precisions", type=commas(), default=list(PRECISIONS), help="default: f32,bf16,int8")
    parser.add_argument("--towers", type=commas(), default=list(BATCHES), help="default: image,text,caption")
    parser.add_argument("--batches", type=commas(int), default=[], help="only these batch sizes, as 1,8")
    parser.add_argument("--threads", type=commas(int), default=[1], help="as 1,2 (default: 1)")
    parser.add_argument("--isa", choices=list(ISAS), default="native", help="avx2: as on a machine without AVX-512")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=1, help="of a turn")
    parser.add_argument("--json", action="store_true", help="compare: one JSON object a row")
    args = parser.parse_args()
    for chosen, known in ((args.peers, ENGINES), (args.precisions, PRECISIONS), (args.towers, BATCHES)):
        for name in chosen:
            if name not in known:
                parser.error(f"'{name}': expected some of {', '.join(known)}")
    return args


def note(text):
    print(text, file=sys.stderr, flush=True)


def held(args):
    """The variables of an engine's environment that hold it to args.isa."""
    if args.isa == "native":
        return {}
    library = os.path.join(SCRATCH, f"hold_{args.isa}.so")
    if not os.path.exists(library):
        source = os.path.join(HERE, f"hold_{args.isa}.c")
        subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", library, source], check=True)
    return {**ISAS[args.isa], "LD_PRELOAD": library}


class Pinned:
    """How to start a process on as many cores as it has threads."""

    def __init__(self, args, threads):
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) < threads:
            sys.exit(f"{threads} threads: this process may use {len(cores)} cores only")
        self.how = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True,
                    "env": {**os.environ, **held(args), "OMP_NUM_THREADS": str(threads)},
                    "preexec_fn": lambda: os.sched_setaffinity(0, cores[:threads])}


class Peer:
    """An engine in a process that stays until close()."""

    def __init__(self, args, name, threads):
        how = dict(Pinned(args, threads).how, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
        command = [sys.executable, "-W", "ignore", os.path.join(HERE, "engines.py"), args.dir, name, str(threads)]
        self.name, self.seconds, self.process = name, args.seconds, subprocess.Popen(command, **how)

    def measure(self, tower, batch):
        if self.process.poll() is not None:
            return None
        print(json.dumps({"tower": tower, "batch": batch, "seconds": self.seconds}), file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        if not answer:
            note(f"{self.name}: failed at {tower}, batch {batch}; left out from here on")
            self.process.wait()
        return json.loads(answer) if answer else None

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Align:
    """Ours: `align bench`, a process a measurement."""

    def __init__(self, args, precision, threads):
        file = lambda name: os.path.join(args.dir, name + ".safetensors")
        self.command = [args.align, "bench", "--model", args.model or args.dir, "--inputs", file("inputs"), "--expected",
                        file("expected"), "--threads", str(threads), "--seconds", str(args.seconds), "--json"]
        if precision != "f32":
            self.command += ["--precision", precision]
        self.precision, self.how, self.able = precision, Pinned(args, threads).how, True

    def measure(self, tower, batch):
        if not self.able:
            return None
        out = subprocess.run(self.command + ["--tower", tower, "--batch", str(batch)], check=False, **self.how)
        if out.returncode and self.precision == "f32":
            sys.exit(f"{' '.join(self.command)}: {out.stderr.strip()}")
        if out.returncode:  # not every version, model or machine has the others
            note(f"align: {self.precision}: left out: {out.stderr.strip()}")
            self.able = False
        return json.loads(out.stdout.splitlines()[-1]) if self.able else None

    def close(self):
        pass


def batches(args, tower):
    return [b for b in BATCHES[tower] if not args.batches or b in args.batches]


def open_peers(args, precision, threads):
    peers = {}
    for name in args.peers:
        if ENGINES[name].precision == precision:
            why = missing(args.dir, name)
            if why:
                note(f"{name}: left out: {why}")
            else:
                peers[name] = Peer(args, name, threads)
    return peers


def take_turns(args, engines, tower, batch, threads):
    """What each engine measured: the median of its turns and its cosine."""
    rows = {name: [] for name in engines}
    for _ in range(args.turns):
        for name, engine in engines.items():
            row = engine.measure(tower, batch)
            if row:
                rows[name].append(row)
            if threads > 1:
                time.sleep(SPIN_SECONDS)
    return {name: {"median_ms": statistics.median(r["median_ms"] for r in turns), "min_ms": min(r["min_ms"] for r in turns),
                   "cos": turns[0]["cos"]} for name, turns in rows.items() if turns}


def summary(found, **row):
    """A row of the result: ours, the peers, the best of them and how many times faster than it we are."""
    ours = found.pop("align", None)
    best = min(found, key=lambda name: found[name]["median_ms"], default=None)
    ratio = round(found[best]["median_ms"] / ours["median_ms"], 3) if ours and best else None
    return dict(row, align=ours, peers=found, best=best, ratio=ratio)


def cell(measured, key, form):
    return f"{measured[key]:{form}}" if measured else f"{'-':>{form.split('.')[0]}}"


def print_row(row, names):
    best = row["peers"].get(row["best"])
    print(f"{row['tower']:8}{row['batch']:6}" + cell(row["align"], "median_ms", "9.2f") +
          "".join(cell(row["peers"].get(n), "median_ms", f"{max(9, len(n) + 2)}.2f") for n in names) +
          (f"{row['ratio']:7.2f}x" if row["ratio"] else f"{'-':>8}") + f" {row['best'] or '-':16}" +
          cell(row["align"], "cos", "11.7f") + cell(best, "cos", "11.7f"), flush=True)


def print_scaling(rows):
    """Our own time with one thread over that with more."""
    one = {(r["precision"], r["tower"], r["batch"]): r["align"] for r in rows if r["threads"] == 1}
    more = [r for r in rows if r["threads"] > 1 and r["align"] and one.get((r["precision"], r["tower"], r["batch"]))]
    if more:
        print("\nalign with more threads\nprecision  tower    batch  threads  1 thread, ms       ms   faster")
    for r in more:
        alone = one[r["precision"], r["tower"], r["batch"]]["median_ms"]
        print(f"{r['precision']:11}{r['tower']:8}{r['batch']:6}{r['threads']:9}{alone:14.2f}"
              f"{r['align']['median_ms']:9.2f}{alone / r['align']['median_ms']:8.2f}x")


def compare_group(args, precision, threads):
    """The rows of one precision and number of threads; the engines stay open from row to row."""
    engines = {"align": Align(args, precision, threads), **open_peers(args, precision, threads)}
    names, rows = list(engines)[1:], []
    if not args.json:
        print(f"\n{threads} thread{'s' if threads > 1 else ''}, {precision}, {args.isa}: medians of {args.turns} turns of "
              f"{args.seconds} s, ms an item\ntower    batch    align" +
              "".join(f"{n:>{max(9, len(n) + 2)}}" for n in names) + "   ratio to best peer      our cosine  its cosine",
              flush=True)
    for tower in args.towers:
        able = {n: e for n, e in engines.items() if n == "align" or file_of(n, tower)}
        for batch in batches(args, tower):
            found = take_turns(args, able, tower, batch, threads)
            rows.append(summary(found, threads=threads, precision=precision, tower=tower, batch=batch))
            if args.json:
                print(json.dumps(rows[-1]), flush=True)
            else:
                print_row(rows[-1], names)
    for engine in engines.values():
        engine.close()
    return rows


def compare(args):
    rows = [row for threads in args.threads for precision in args.precisions
            for row in compare_group(args, precision, threads)]
    if not args.json:
        print_scaling(rows)


def time_engine(args):
    for threads in args.threads:
        for precision in args.precisions if args.engine == "align" else [ENGINES[args.engine].precision]:
            engine = Align(args, precision, threads) if args.engine == "align" else Peer(args, args.engine, threads)
            for tower in args.towers:
                if args.engine == "align" or file_of(args.engine, tower):
                    for row in (engine.measure(tower, batch) for batch in batches(args, tower)):
                        if row:
                            print(json.dumps(row), flush=True)
            engine.close()


if __name__ == "__main__":
    ARGS = arguments()
    with tempfile.TemporaryDirectory() as SCRATCH:
        {"make": lambda args: full_model.make(args.dir), "time": time_engine, "compare": compare}[ARGS.what](ARGS)
