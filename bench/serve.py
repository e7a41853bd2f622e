#!/usr/bin/env python3
"""serve.py: `align serve` under load, beside the library alone and beside other servers of the same model.

    serve.py DIR                            the folder that compare.py made; needs wrk
    serve.py DIR --servers align,fastapi    the same load on these, one after the other; infinity is another
    serve.py DIR --minutes 10               the mix for ten minutes: how p99 and memory move
    serve.py models/emoji --as-it-is        a folder that has a tokenizer and a preprocessor_config.json

The load: captions alone, captions in requests of 16, pictures (JPEG in data: addresses, 300 to 600 pixels a side), and a
mix of the three. Embeddings of texts are not kept (--cache 0). All of a server but the thread that computes shares one
core with the client; that thread has the other for itself, one thread of ours or of theirs. "of the library" is what
`align bench` needs on that core for as many texts and pictures, at batches of the size that the server made, over the time
that the server took; the same with the largest batches in brackets. Rates are those between the first and the last batch
of the measured time, as /metrics tells it; for the peers those of wrk.

Made with: bench/requirements.txt, and for the peers fastapi, uvicorn and orjson; infinity-emb where --infinity says.
"""
import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import serve_servers as servers
from prepare import CONFIG
from serve_inputs import PICTURES, TEXTS, Pool, make_folder

HERE = os.path.dirname(os.path.abspath(__file__))
CONNECTIONS = {"text": 128, "texts": 16, "picture": 32, "mix": 64}
TITLES = {"text": "captions, one a request", "texts": "captions, 16 a request", "picture": "pictures", "mix": "the mix"}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dir")
    parser.add_argument("--align", default=os.path.join(HERE, "..", "build", "align"), help="the command to time")
    parser.add_argument("--processor", default=os.path.join(HERE, "..", "models", "emoji"), help="whose tokenizer DIR gets")
    parser.add_argument("--as-it-is", action="store_true", help="DIR has a tokenizer and a preprocessor_config.json")
    parser.add_argument("--precision", default="f32")
    parser.add_argument("--loads", default="text,texts,picture,mix", help="default: text,texts,picture,mix")
    parser.add_argument("--connections", type=int, help="instead of those that keep full batches waiting")
    parser.add_argument("--turns", type=int, default=3, help="of each load; the library measures after each (default: 3)")
    parser.add_argument("--seconds", type=int, default=8, help="of a turn (default: 8)")
    parser.add_argument("--minutes", type=int, default=0, help="only the mix, for so long")
    parser.add_argument("--servers", default="align", help="align,fastapi,infinity (default: align)")
    parser.add_argument("--infinity", default="infinity_emb", help="infinity's command")
    parser.add_argument("--starts", type=int, default=5, help="to find out how long until ready")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def note(text):
    print(text, file=sys.stderr, flush=True)


# ---- the load ----

class Load:
    """The requests of one kind."""

    def __init__(self, args, pool, kind, folder):
        bodies, self.texts, self.pictures = pool.bodies(kind)
        self.kind, self.path = kind, os.path.join(folder, f"{kind}.jsonl")
        self.connections = args.connections or CONNECTIONS[kind]
        self.first = bodies[0]
        with open(self.path, "w", encoding="utf-8") as file:
            file.write("\n".join(bodies) + "\n")

    def drive(self, server, seconds):
        """What wrk measured."""
        command = ["wrk", "--threads", "1", "--connections", str(self.connections), "--duration", f"{seconds}s", "--timeout",
                   "60s", "--script", os.path.join(HERE, "serve.lua"), server.url + "/v1/embeddings", "--", self.path]
        out = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True,
                             preexec_fn=lambda: os.sched_setaffinity(0, {server.cores[0]})).stdout
        found = json.loads(next(line for line in out.splitlines() if line.startswith("{")))
        if found["errors"]:
            note(f"{server.name}, {self.kind}: {found['errors']} errors, {found['requests']} answers")
        return found


# ---- what the server says of itself ----

METRICS = {"texts": 'align_inputs_total{kind="text"}', "pictures": 'align_inputs_total{kind="picture"}',
           "text_batches": 'align_batch_inputs_count{kind="text"}', "picture_batches": 'align_batch_inputs_count{kind="picture"}',
           "computing": "align_compute_seconds_sum"}


def read_metrics(server):
    rows = re.findall(r"^(align_\S+) (\S+)$", server.read("/metrics"), re.MULTILINE)
    return {key: sum(float(value) for name, value in rows if name.startswith(wanted)) for key, wanted in METRICS.items()}


class Watcher(threading.Thread):
    """Looks at the metrics some times a second, until it is told to stop."""

    def __init__(self, server):
        super().__init__()
        self.server, self.over, self.seen = server, threading.Event(), []
        self.start()

    def run(self):
        while not self.over.wait(0.05):
            self.seen.append((time.monotonic(), read_metrics(self.server)))

    def stop(self):
        """Seconds between the ends of the first and of the last batch, and what was done in between."""
        self.over.set()
        self.join()
        done = lambda row: row[1]["texts"] + row[1]["pictures"]
        ends = [b for a, b in zip(self.seen, self.seen[1:]) if done(b) > done(a)]
        (begin, first), (end, last) = ends[0], ends[-1]
        return end - begin, {key: last[key] - first[key] for key in METRICS}


# ---- the library alone ----

class Library:
    """What `align bench` needs on the core of the server's computing thread."""

    def __init__(self, args, model, inputs, core):
        self.command = [args.align, "bench", "--model", model, "--inputs", inputs, "--threads", "1", "--json", "--seconds", "1",
                        "--quiet", "--precision", args.precision]
        self.core = core

    def seconds(self, n, tower, batch):
        """Of n items; measured anew each time."""
        if not n:
            return 0
        out = subprocess.run(self.command + ["--tower", tower, "--batch", str(batch)], stdout=subprocess.PIPE, text=True,
                             check=True, preexec_fn=lambda: os.sched_setaffinity(0, {self.core})).stdout
        return n * json.loads(out.splitlines()[-1])["median_ms"] / 1000


def batch_sizes(done):
    """The mean number of texts and of pictures computed together."""
    mean = lambda n, batches: round(n / batches) if batches else 0
    return mean(done["texts"], done["text_batches"]), mean(done["pictures"], done["picture_batches"])


def shares_of_library(library, seconds, done):
    """What the library needs, at batches of the server's sizes and at the largest, over what the server took."""
    of = lambda batches: (library.seconds(done["texts"], "caption", batches[0]) +
                          library.seconds(done["pictures"], "image", batches[1])) / seconds
    made = batch_sizes(done)
    share = of(made)
    largest = (TEXTS if made[0] else 0, PICTURES if made[1] else 0)
    return share, share if made == largest else of(largest)


# ---- reports ----

def report(args, row):
    if args.json:
        print(json.dumps(row), flush=True)
        return
    line = (f"{row['server']:24}{row['load']:9}{row['connections']:5}{row['requests_s']:10.1f}{row['texts_s']:9.1f}"
            f"{row['pictures_s']:9.1f}{row['p50_ms']:10.1f}{row['p99_ms']:10.1f}{row['resident_mb']:8.0f}")
    if "share" in row:
        line += (f"{row['batches'][0]:6}{row['batches'][1]:4}{row['computing']:8.1%}{row['share']:8.1%} "
                 f"({row['share_of_largest']:.1%})")
    print(line, flush=True)


HEAD = (f"{'server':24}{'load':9}{'conn':>5}{'requests':>10}{'texts':>9}{'pictures':>9}{'p50, ms':>10}{'p99, ms':>10}{'MB':>8}"
        f"{'  batches':>10}{'busy':>8}  of the library\n{'':38}{'a second':>10}{'a second':>9}{'a second':>9}")


def row_of(server, load, found, rate):
    return {"server": server.name, "load": load.kind, "connections": load.connections, "requests_s": rate,
            "texts_s": rate * load.texts, "pictures_s": rate * load.pictures, "p50_ms": found["p50_ms"],
            "p99_ms": found["p99_ms"], "errors": found["errors"], "resident_mb": server.resident_mb()}


def take_turn(args, server, load, library):
    watcher = Watcher(server)
    found = load.drive(server, args.seconds)
    seconds, done = watcher.stop()
    rate = (done["texts"] + done["pictures"]) / seconds / (load.texts + load.pictures)
    share, share_of_largest = shares_of_library(library, seconds, done)
    return dict(row_of(server, load, found, rate), batches=batch_sizes(done), computing=done["computing"] / seconds,
                share=share, share_of_largest=share_of_largest)


def measure_ours(args, server, load, library):
    """Medians of turns, between which the library has its own."""
    turns = [take_turn(args, server, load, library) for _ in range(args.turns)]
    middle = sorted(turns, key=lambda row: row["share"])[len(turns) // 2]
    return dict(middle, **{key: statistics.median(row[key] for row in turns)
                           for key in ("requests_s", "texts_s", "pictures_s", "p50_ms", "p99_ms", "share_of_largest")})


def measure_peer(args, server, load):
    found = load.drive(server, args.turns * args.seconds)
    return row_of(server, load, found, found["requests"] / found["seconds"])


def settle(server, loads):
    """Waits until the server is through with what clients left behind that went away: queues are first come, first
    served, and not everybody forgets such work."""
    for load in loads:
        server.post(load.first)


def run_minutes(args, server, load):
    print("minute    requests a second   p50, ms   p99, ms   errors   resident, MB")
    for minute in range(1, args.minutes + 1):
        found = load.drive(server, 60)
        print(f"{minute:6}{found['requests'] / found['seconds']:21.1f}{found['p50_ms']:10.1f}{found['p99_ms']:10.1f}"
              f"{found['errors']:9}{server.resident_mb():15.1f}", flush=True)


def run_server(args, server, loads, library):
    """The first of the loads is not measured: captions, which are work for the thread that computes and for hardly any
    other."""
    probes = (loads[0], loads[-1])
    server.pin(lambda: loads[0].drive(server, 2))
    settle(server, probes)
    if args.minutes:
        run_minutes(args, server, loads[-1])
        return
    for load in loads[1:]:
        report(args, measure_ours(args, server, load, library) if server.name == "align" else measure_peer(args, server, load))
        settle(server, probes)


def time_starts(args, start):
    times = []
    for _ in range(args.starts):
        server = start()
        times.append(server.ready_seconds)
        server.stop()
    return statistics.median(times)


def make_folders(args, scratch):
    """What the peers serve, and the same packed, which align does."""
    folder, packed = os.path.join(scratch, "served"), os.path.join(scratch, "packed")
    make_folder(folder, args.dir, args.dir if args.as_it_is else args.processor, None if args.as_it_is else CONFIG)
    subprocess.run([args.align, "convert", "--pack", folder, packed, "--quiet", "--precision", args.precision], check=True)
    return folder, packed


def main():
    args = arguments()
    cores = sorted(os.sched_getaffinity(0))[:2]
    if len(cores) < 2:
        sys.exit("serve.py: the server and its client need two cores")
    os.sched_setaffinity(0, {cores[0]})
    with tempfile.TemporaryDirectory() as scratch:
        folder, packed = make_folders(args, scratch)
        pool, inputs = Pool(os.path.join(folder, "vocab.txt")), os.path.join(scratch, "inputs.safetensors")
        with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
            pool.write_tensors(inputs, json.load(file)["vision_config"]["image_size"])
        library = Library(args, packed, inputs, cores[1])
        kinds = ["texts"] + (["mix"] if args.minutes else args.loads.split(","))
        loads = [Load(args, pool, kind, scratch) for kind in kinds]
        if not args.minutes and not args.json:
            print(HEAD, flush=True)
        for name in args.servers.split(","):
            why, server = servers.missing(args, name), None
            if why:
                note(f"{name}: left out: {why}")
                continue
            start = lambda: servers.STARTS[name](args, packed if name == "align" else folder, cores)
            try:
                server = start()
                run_server(args, server, loads, library)
            except RuntimeError as error:
                note(f"{name}: left out: {error}")
            finally:
                if server:
                    server.stop()
            if server and name == "align" and args.starts:
                note(f"align: ready {time_starts(args, start):.3f} s after the start, median of {args.starts}")


if __name__ == "__main__":
    main()
