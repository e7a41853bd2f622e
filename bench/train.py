#!/usr/bin/env python3
"""train.py: a step of training the full-size model beside PyTorch's, on the same weights and pairs.

    compare.py make DIR       what is missing of the model and its inputs
    train.py DIR              a step of each in turns: time a pair, peak memory, and the ratios

A step is forward, backward and AdamW's update of every parameter, with the config's dropout. Before that both compute one
loss without dropout, which must agree. Each turn is a process of its own, pinned to as many cores as it has threads; the
medians of all steps but a process's first are compared; where other programs run beside them, look at the processor's
time. Absolute times mean nothing across machines: quote the ratios.

Needs build/bench/bench_training (cmake --build build --target bench_training). Made with: bench/requirements.txt.
"""
import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
DRIVER = os.environ.get("BENCH_TRAINING", os.path.join(HERE, "..", "build", "bench", "bench_training"))
LOSSES_AGREE = 1e-4


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dir")
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--precision", choices=["f32", "bf16"], default="f32", help="of our matrix products")
    parser.add_argument("--memory", type=float, default=1.1, metavar="GB",
                        help="most of our workspace, beside 2.8 GB of weights, gradients and moments; 0: no limit, which "
                             "is fastest (default: %(default)s, for a third of PyTorch's memory in all)")
    parser.add_argument("--steps", type=int, default=4, help="of a turn")
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--alone", action="store_true", help="without PyTorch")
    parser.add_argument("--peer", action="store_true", help=argparse.SUPPRESS)  # a turn of PyTorch, in its own process
    return parser.parse_args()


def peer(args):
    """A turn of PyTorch: the same JSON object as bench_training prints."""
    import torch
    from safetensors.torch import load_file
    from transformers import AlignModel
    torch.set_num_threads(args.threads)
    file = load_file(os.path.join(args.dir, "inputs.safetensors"))
    inputs = {name: file[name][: args.pairs] for name in ("pixel_values", "input_ids", "attention_mask")}
    model = AlignModel.from_pretrained(args.dir).train()
    rates = {module: module.p for module in model.modules() if isinstance(module, torch.nn.Dropout)}
    for module in rates:
        module.p = 0.0
    with torch.no_grad():
        loss = model(**inputs, return_loss=True).loss.item()
    for module, rate in rates.items():
        module.p = rate
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5)
    times, cpu = [], []
    for _ in range(args.steps):
        begin, cpu_begin = time.perf_counter(), time.process_time()
        optimizer.zero_grad()
        model(**inputs, return_loss=True).loss.backward()
        optimizer.step()
        times.append(round((time.perf_counter() - begin) * 1e3, 1))
        cpu.append(round((time.process_time() - cpu_begin) * 1e3, 1))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps({"loss": loss, "ms": times, "cpu_ms": cpu, "peak_mb": peak}))


def turn(args, command):
    cores = sorted(os.sched_getaffinity(0))[: args.threads]
    if len(cores) < args.threads:
        sys.exit(f"{args.threads} threads: this process may use {len(cores)} cores only")
    out = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True,
                         env={**os.environ, "OMP_NUM_THREADS": str(args.threads)},
                         preexec_fn=lambda: os.sched_setaffinity(0, cores))
    if out.returncode:
        sys.exit(f"{' '.join(command)}: failed")
    return json.loads(out.stdout.splitlines()[-1])


def main():
    args = arguments()
    if args.peer:
        return peer(args)
    ours = [DRIVER, args.dir, str(args.pairs), str(args.steps), str(args.threads), args.precision,
            str(int(args.memory * 1e9))]
    theirs = [sys.executable, "-W", "ignore", os.path.abspath(__file__), args.dir, "--peer", "--pairs", str(args.pairs),
              "--threads", str(args.threads), "--steps", str(args.steps)]
    engines = {"align": ours} if args.alone else {"align": ours, "torch": theirs}
    turns = {name: [] for name in engines}
    for _ in range(args.turns):
        for name, command in engines.items():
            turns[name].append(turn(args, command))
    found = {}
    for name, rows in turns.items():
        median = {kind: statistics.median(ms for row in rows for ms in row[kind][1:]) / args.pairs
                  for kind in ("ms", "cpu_ms")}
        found[name] = dict(median, mb=max(row["peak_mb"] for row in rows), loss=rows[0]["loss"])
        print("{name:6} {ms:8.1f} ms a pair ({cpu_ms:.1f} of the processor)   {mb:6} MB   loss {loss:.6f}".format(
              name=name, **found[name]))
    if args.alone:
        return 0
    ours, theirs = found["align"], found["torch"]
    print(f"align is {theirs['ms'] / ours['ms']:.2f} times as fast ({theirs['cpu_ms'] / ours['cpu_ms']:.2f} by the "
          f"processor's time), with {ours['mb'] / theirs['mb']:.2f} of the memory")
    agree = abs(ours["loss"] - theirs["loss"]) <= LOSSES_AGREE * abs(theirs["loss"])
    if args.precision == "f32" and not agree:
        sys.exit("the losses do not agree")
    return 0


if __name__ == "__main__":
    sys.exit(main())
