#!/usr/bin/env python3
"""engines.py: what a user would pick instead of align, each behind one call: the features of a batch.

compare.py starts this file once an engine, keeps the process and asks it for one measurement a line:

    engines.py DIR ENGINE THREADS      reads {"tower": "image", "batch": 8, "seconds": 1}, answers with one JSON object

A process of its own an engine keeps their thread pools apart; keeping it alive lets engines be timed in short turns.
"""
import importlib.util
import json
import os
import statistics
import sys
import time
from typing import NamedTuple


class Engine(NamedTuple):
    precision: str
    package: str  # what must be installed
    image: str    # the file in DIR that it runs for pictures and
    text: str     # for texts; empty: this engine has none


ENGINES = {
    "torch": Engine("f32", "torch", "model.safetensors", "model.safetensors"),
    "ort": Engine("f32", "onnxruntime", "image.onnx", "text.onnx"),
    "ov": Engine("f32", "openvino", "image.onnx", "text.onnx"),
    "torch-bf16": Engine("bf16", "torch", "model.safetensors", "model.safetensors"),
    "ov-bf16": Engine("bf16", "openvino", "image.onnx", "text.onnx"),
    "ort-int8": Engine("int8", "onnxruntime", "", "text_int8.onnx"),                  # dynamic
    "ort-int8-static": Engine("int8", "onnxruntime", "image_int8.onnx", ""),          # static, QDQ
    "ov-int8-qdq": Engine("int8", "openvino", "image_int8.onnx", ""),                 # the same file
    "ov-int8": Engine("int8", "openvino", "image_int8.xml", "text_int8.xml"),         # OpenVINO's own, made by nncf
}

FEEDS = {"image": {"pixel_values": "pixel_values"},
         "text": {"input_ids": "input_ids", "attention_mask": "attention_mask"},
         "caption": {"input_ids": "caption_ids", "attention_mask": "caption_mask"}}


def file_of(engine, tower):
    return ENGINES[engine].image if tower == "image" else ENGINES[engine].text


def missing(folder, engine):
    """Why the engine cannot run here; empty if it can."""
    if not importlib.util.find_spec(ENGINES[engine].package):
        return f"{ENGINES[engine].package} is not installed"
    absent = [f for f in (ENGINES[engine].image, ENGINES[engine].text)
              if f and not os.path.exists(os.path.join(folder, f))]
    return f"no {' and '.join(absent)} (compare.py make)" if absent else ""


def towers(model):
    """The two halves of a transformers model as plain modules: pixels to image features, ids and mask to text features."""
    import torch

    class Image(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model.vision_model

        def forward(self, pixel_values):
            # the mean pool, without a kernel larger than its input (which OpenVINO refuses)
            return self.model(pixel_values=pixel_values, return_dict=True).last_hidden_state.mean((2, 3))

    class Text(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model, self.projection = model.text_model, model.text_projection

        def forward(self, input_ids, attention_mask):
            out = self.model(input_ids=input_ids, attention_mask=attention_mask, return_dict=True)
            return self.projection(out.last_hidden_state[:, 0, :])

    return Image().eval(), Text().eval()


def onnxruntime_runner(path, threads, feed):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, feed)[0]


def openvino_runner(path, threads, feed, precision):
    import openvino
    core = openvino.Core()
    graph = core.read_model(path)
    graph.reshape({name: list(value.shape) for name, value in feed.items()})
    settings = {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY"}
    if precision != "int8":  # what is not quantised in an int8 model runs in whatever OpenVINO prefers
        settings["INFERENCE_PRECISION_HINT"] = precision
    compiled = core.compile_model(graph, "CPU", settings)
    request = compiled.create_infer_request()
    return lambda: request.infer(feed)[compiled.output(0)]


def torch_runner(folder, threads, feed, tower, precision):
    import torch
    from transformers import AlignModel
    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    module = towers(AlignModel.from_pretrained(folder).eval())[0 if tower == "image" else 1].to(dtype)
    tensors = [torch.from_numpy(value) for value in feed.values()]
    tensors = [t.to(dtype) if t.is_floating_point() else t for t in tensors]
    return lambda: module(*tensors).float().numpy()


def runner(folder, engine, threads, tower, feed):
    """A function that runs one batch with the engine, built for the shapes of feed."""
    path, precision = os.path.join(folder, file_of(engine, tower)), ENGINES[engine].precision
    if engine.startswith("ort"):
        return onnxruntime_runner(path, threads, feed)
    if engine.startswith("ov"):
        return openvino_runner(path, threads, feed, precision)
    return torch_runner(folder, threads, feed, tower, precision)


def smallest_cosine(got, want):
    import numpy as np
    return float(((got * want).sum(1) / np.linalg.norm(got, axis=1) / np.linalg.norm(want, axis=1)).min())


def timed(run, seconds):
    """The times of runs until they sum up to this many seconds, at least three."""
    times = []
    while len(times) < 3 or sum(times) < seconds:
        begin = time.perf_counter()
        run()
        times.append(time.perf_counter() - begin)
    return times


def serve(folder, engine, threads):
    from safetensors.numpy import load_file
    inputs = load_file(os.path.join(folder, "inputs.safetensors"))
    expected = load_file(os.path.join(folder, "expected.safetensors"))
    built, run = None, None
    for line in sys.stdin:
        ask = json.loads(line)
        tower, batch = ask["tower"], ask["batch"]
        if built != (tower, batch):
            run = None  # the memory of the one before, first
            run = runner(folder, engine, threads, tower, {k: inputs[v][:batch] for k, v in FEEDS[tower].items()})
            cosine = smallest_cosine(run(), expected[tower + "_features"][:batch])
            run()
            built = (tower, batch)
        times = timed(run, ask["seconds"])
        print(json.dumps({"engine": engine, "tower": tower, "batch": batch, "threads": threads,
                          "precision": ENGINES[engine].precision, "min_ms": round(min(times) / batch * 1e3, 3),
                          "median_ms": round(statistics.median(times) / batch * 1e3, 3),
                          "cos": round(cosine, 7)}), flush=True)


if __name__ == "__main__":
    os.environ["OMP_NUM_THREADS"] = sys.argv[3]  # before any engine is loaded
    serve(sys.argv[1], sys.argv[2], int(sys.argv[3]))
