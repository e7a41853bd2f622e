#!/usr/bin/env python3
"""libraries.py: our kernels beside OpenBLAS, BLIS and oneDNN at the shapes of the full-size model, and the limits of the
machine, as tables in Markdown (docs/performance.md has them).

    libraries.py [--onednn DIR] [--align-build DIR]

Builds bench/libraries (libopenblas-dev, libblis-dev, libdnnl-dev; what is not installed is left out) and runs every
program pinned to one core, in turns; each number is the best of the turns' medians. Weights are packed before the clock
starts where a library allows it and stay in the cache as far as they fit: these are kernels, not the model.
"""
import argparse
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))

# Programs and what makes a library take another of its kernels.
VARIANTS = (("own", {}), ("own", {"ALIGN_ISA": "avx512vnni"}),  # f32 by multiply-adds also where the CPU has tiles
            ("openblas", {}), ("openblas", {"OPENBLAS_CORETYPE": "SKYLAKEX"}),
            ("openblas", {"OPENBLAS_CORETYPE": "SAPPHIRERAPIDS"}),
            ("blis", {}), ("blis", {"BLIS_ARCH_TYPE": "0"}),  # 0: Skylake-X
            ("onednn", {}), ("onednn-other", {}))
ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "BLIS_NUM_THREADS")}
GROUPS = {"expansions": "image, expansions", "projections": "image, projections", "depthwise": "image, depthwise",
          "text": "text, 64 tokens", "texts": "text, 32 x 64 tokens"}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--onednn", help="a folder with another oneDNN (include/, lib/)")
    parser.add_argument("--align-build", default=os.path.join(HERE, "..", "build"), help="a build of this repository")
    parser.add_argument("--out", help="where to build the programs (default: libraries in that build)")
    parser.add_argument("--turns", type=int, default=3)
    return parser.parse_args()


def build(args):
    out = os.path.abspath(args.out or os.path.join(args.align_build, "libraries"))
    command = ["make", "-s", "-C", os.path.join(HERE, "libraries"), f"OUT={out}",
               f"ALIGN_BUILD={os.path.abspath(args.align_build)}"]
    subprocess.run(command + ([f"ONEDNN={os.path.abspath(args.onednn)}"] if args.onednn else []), check=True)
    return out


def run(program, settings):
    """The JSON objects that a program prints, run on one core."""
    core = min(os.sched_getaffinity(0))
    out = subprocess.run([program], check=False, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **ONE_THREAD, **settings},
                         preexec_fn=lambda: os.sched_setaffinity(0, {core}))
    if out.returncode:
        print(f"{program}: {settings}: left out: {out.stderr.strip() or f'exit status {out.returncode}'}", file=sys.stderr)
    return [json.loads(line) for line in out.stdout.splitlines()]


def measure(args, folder):
    """(precision, group, shape) -> library -> its fastest row."""
    found = {}
    for _ in range(args.turns):
        for program, settings in VARIANTS:
            path = os.path.join(folder, program)
            for row in run(path, settings) if os.path.exists(path) else []:
                key = row["precision"], row["group"], row["m"], row["k"], row["n"], row["kernel"], row["stride"]
                best = found.setdefault(key, {})
                if row["library"] not in best or row["ms"] < best[row["library"]]["ms"]:
                    best[row["library"]] = row
    return found


def print_table(head, rows):
    print("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print()


def limits(folder):
    path = os.path.join(folder, "limits")
    if os.path.exists(path):
        rows = run(path, {})
        print_table(["limit of one thread", ""], [(r["limit"], f"{r['gmacs']} GMAC/s" if "gmacs" in r else
                                                   f"{r['gbytes']} GB/s") for r in rows])


def libraries_of(found):
    return sorted({name for best in found.values() for name in best}, key=lambda n: (not n.startswith("align"), n))


def sums(found, names):
    """Milliseconds that each part of the model would take: every shape as often as it occurs."""
    rows = []
    for group, title in GROUPS.items():
        cases = [best for key, best in found.items() if key[1] == group]
        able = [n for n in names if cases and all(n in best for best in cases)]
        if able:
            total = {n: sum(best[n]["ms"] * best[n]["count"] for best in cases) for n in able}
            gmac = sum(best[able[0]]["ms"] * best[able[0]]["gmacs"] * best[able[0]]["count"] for best in cases)
            rows.append([title] + [f"{total[n]:.1f} ({gmac / total[n]:.0f})" if n in total else "" for n in names])
    return rows


def shapes(found, names):
    """GMAC/s at each shape."""
    rows = []
    for (_, group, m, k, n, kernel, stride), best in found.items():
        what = f"{m}x{m} pixels, {n} channels, {kernel}x{kernel} / {stride}" if kernel else f"{m} x {k} x {n}"
        rows.append([GROUPS[group], what, str(next(iter(best.values()))["count"])] +
                    [f"{best[name]['gmacs']:.0f}" if name in best else "" for name in names])
    return rows


def main():
    args = arguments()
    folder = build(args)
    limits(folder)
    found = measure(args, folder)
    for precision in ("f32", "bf16", "int8"):
        chosen = {key: best for key, best in found.items() if key[0] == precision}
        names = libraries_of(chosen)
        if names:
            print_table([f"{precision}, ms (GMAC/s)"] + names, sums(chosen, names))
            print_table([f"{precision}, GMAC/s", "rows x inner x columns", "times"] + names, shapes(chosen, names))


if __name__ == "__main__":
    main()
