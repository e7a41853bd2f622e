#!/usr/bin/env python3
"""startup.py: how long a fresh process takes to its first embeddings, and how much memory it holds at most.

    startup.py DIR          one picture and one text, on the folder that compare.py made; medians of several starts
    startup.py DIR --json   one JSON object an engine

Everything from the start of the process to the features is timed: libraries, the checkpoint (whose files are in the
system's cache: each engine runs once before), one picture of 289 x 289 and one text of 64 tokens. The peers do the least that
a script can do: no tokenizer, no picture decoding, nothing imported that is not needed. Memory is the peak resident size
of the process, mapped files included; beside it, what it exceeds the size of the checkpoint by. Two checkpoints of ours: as
Hugging Face writes it, and prepacked by `align convert --pack`.
"""
import argparse
import json
import os
import statistics
import struct
import subprocess
import sys
import tempfile
import time

from engines import missing
from tensor_file import write_safetensors

HERE = os.path.dirname(os.path.abspath(__file__))
PEERS = ("ort", "ov", "torch")

# What the peers run, after their folder and their threads: each loads both towers and runs them once on zeros and ones.
SCRIPTS = {
    "ort": """
import numpy, onnxruntime
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = threads
options.log_severity_level = 3
image, text = (onnxruntime.InferenceSession(f"{folder}/{f}.onnx", options, providers=["CPUExecutionProvider"])
               for f in ("image", "text"))
image.run(None, {"pixel_values": numpy.zeros((1, 3, 289, 289), "f4")})
text.run(None, {"input_ids": numpy.ones((1, 64), "i8"), "attention_mask": numpy.ones((1, 64), "i8")})
""",
    "ov": """
import numpy, openvino
core = openvino.Core()
settings = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
feeds = {"image": {"pixel_values": numpy.zeros((1, 3, 289, 289), "f4")},
         "text": {"input_ids": numpy.ones((1, 64), "i8"), "attention_mask": numpy.ones((1, 64), "i8")}}
for name, feed in feeds.items():
    graph = core.read_model(f"{folder}/{name}.onnx")
    graph.reshape({key: list(value.shape) for key, value in feed.items()})
    core.compile_model(graph, "CPU", settings)(feed)
""",
    "torch": """
import torch
from transformers import AlignModel
torch.set_num_threads(threads)
torch.set_grad_enabled(False)
model = AlignModel.from_pretrained(folder).eval()
model.get_image_features(pixel_values=torch.zeros(1, 3, 289, 289))
model.get_text_features(input_ids=torch.ones(1, 64, dtype=torch.long), attention_mask=torch.ones(1, 64, dtype=torch.long))
""",
}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dir")
    parser.add_argument("--align", default=os.path.join(HERE, "..", "build", "align"), help="the command to time")
    parser.add_argument("--peers", default=",".join(PEERS), help="default: ort,ov,torch")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--starts", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def note(text):
    print(text, file=sys.stderr, flush=True)


def one_item(path):
    """The picture of zeros and the text of ones that the peers run, in a safetensors file for `align forward`."""
    tensors = {"pixel_values": ("F32", [1, 3, 289, 289], bytes(4 * 3 * 289 * 289)),
               "input_ids": ("I64", [1, 64], struct.pack("<64q", *[1] * 64)),
               "attention_mask": ("I64", [1, 64], struct.pack("<64q", *[1] * 64))}
    write_safetensors(path, tensors)


def start(command, threads):
    """Seconds, and the peak resident size in MB, of one process; None if it fails."""
    cores = sorted(os.sched_getaffinity(0))[:threads]
    begin = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                             env=dict(os.environ, OMP_NUM_THREADS=str(threads)),
                             preexec_fn=lambda: os.sched_setaffinity(0, cores))
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - begin
    child.returncode = os.waitstatus_to_exitcode(status)  # so that Popen does not wait for it again
    return None if child.returncode else (seconds, usage.ru_maxrss / 1024)


def commands(args, scratch):
    """What to run for each engine that can run here."""
    item, packed = os.path.join(scratch, "item.safetensors"), os.path.join(scratch, "packed")
    one_item(item)
    forward = lambda model: [args.align, "forward", "--model", model, "--inputs", item, "--threads", str(args.threads),
                             "--output", os.path.join(scratch, "out.safetensors")]
    found = {"align": forward(args.dir)}
    pack = subprocess.run([args.align, "convert", "--pack", args.dir, packed], capture_output=True, text=True, check=False)
    if pack.returncode:
        note(f"align, packed: left out: {pack.stderr.strip().splitlines()[0]}")
    else:
        found["align, packed"] = forward(packed)
    for name in filter(None, args.peers.split(",")):
        why = missing(args.dir, name)
        if why:
            note(f"{name}: left out: {why}")
        else:
            script = f"folder, threads = {args.dir!r}, {args.threads}\n" + SCRIPTS[name]
            found[name] = [sys.executable, "-W", "ignore", "-c", script]
    return found


def main():
    args = arguments()
    with tempfile.TemporaryDirectory() as scratch:
        todo = commands(args, scratch)
        runs = {name: [] for name in todo}
        for turn in range(args.starts + 1):  # the first fills the file cache
            for name, command in todo.items():
                measured = start(command, args.threads)
                if measured is None:
                    note(f"{name}: failed")
                elif turn:
                    runs[name].append(measured)
    weights = os.path.getsize(os.path.join(args.dir, "model.safetensors")) / 2**20
    if not args.json:
        print(f"start to the first embeddings, {args.threads} thread(s), medians of {args.starts} starts\n"
              f"{'engine':16} seconds   peak MB   above the weights")
    for name, measured in runs.items():
        if measured:
            seconds, peak = (statistics.median(m[i] for m in measured) for i in (0, 1))
            if args.json:
                print(json.dumps({"engine": name, "threads": args.threads, "seconds": round(seconds, 3),
                                  "peak_mb": round(peak), "above_weights_mb": round(peak - weights)}), flush=True)
            else:
                print(f"{name:16}{seconds:8.2f}{peak:10.0f}{peak - weights:20.0f}", flush=True)


if __name__ == "__main__":
    main()
