#!/usr/bin/env python3
"""compare.py: align beside what a user would pick instead, on one checkpoint and the same inputs.

    compare.py make DIR [--onnx]                     the full-size model with random weights, inputs, expected features
    compare.py time DIR --engine torch|ort|ov        one engine, one JSON object a line
    compare.py compare DIR [--peers torch,ort,ov]    every engine in turns, then the ratios of their medians

DIR becomes a Hugging Face folder plus inputs.safetensors and expected.safetensors (2 GB with --onnx; keep it out of git).
The engines run in turns, each in a process of its own on the same core, so that a noisy machine disturbs all of them
alike; the medians of the turns are compared. Absolute times mean nothing across machines: quote the ratios.

Made with: bench/requirements.txt. ort and ov need --onnx at `make`.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time

BATCHES = {"image": (1, 8), "text": (1, 8, 32), "caption": (1, 32)}
HERE = os.path.dirname(os.path.abspath(__file__))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["make", "time", "compare"])
    parser.add_argument("dir")
    parser.add_argument("--onnx", action="store_true", help="make: also export the towers for ort and ov")
    parser.add_argument("--engine", default="torch", choices=["torch", "ort", "ov"])
    parser.add_argument("--peers", default="torch", help="compare: engines beside align")
    parser.add_argument("--align", default=os.path.join(HERE, "..", "build", "align"), help="the command to time")
    parser.add_argument("--towers", default="image,text,caption")
    parser.add_argument("--batches", default="", help="only these batch sizes, as 1,8")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3)
    return parser.parse_args()


def batches(args, tower):
    wanted = [int(b) for b in args.batches.split(",") if b]
    return [b for b in BATCHES[tower] if not wanted or b in wanted]


def towers(model):
    """The two halves as plain modules: pixels to image features, ids and mask to text features."""
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


def random_model():
    """The default configuration at 289 pixels, with weights that keep activations alive through 55 blocks."""
    import torch
    from transformers import AlignConfig, AlignModel, AlignVisionConfig
    torch.manual_seed(0)
    config = AlignConfig(vision_config=AlignVisionConfig(image_size=289, hidden_dim=640).to_dict())
    model = AlignModel(config)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.7, 1.3)
            torch.nn.init.normal_(module.bias, 0, 0.1)
            module.momentum = None
            module.reset_running_stats()
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight)
            if module.bias is not None:
                torch.nn.init.normal_(module.bias, 0, 0.1)
    model.train()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.eval()
    pixels = torch.randn(8, 3, 289, 289)
    with torch.no_grad():
        model.vision_model(pixel_values=pixels[:4])  # batch statistics that fit the weights
    return model.eval(), pixels


def caption_inputs(ids):
    """The ids cut to caption-like lengths (median 12 tokens) and padded again, as the processor pads by default."""
    import numpy as np
    import torch
    ids, mask = ids.clone(), torch.zeros_like(ids)
    for i in range(len(ids)):
        n = int(np.clip(np.random.default_rng(i).lognormal(2.5, 0.45), 5, 64))
        mask[i, :n] = 1
        ids[i, n:] = 0
    return ids, mask


def make(args):
    import torch
    from safetensors.torch import save_file
    torch.set_num_threads(args.threads)
    model, pixels = random_model()
    ids = torch.randint(1000, 30522, (32, 64))
    mask = torch.ones_like(ids)
    captions, caption_mask = caption_inputs(ids)
    image, text = towers(model)
    with torch.no_grad():
        expected = {"image_features": image(pixels), "text_features": text(ids, mask),
                    "caption_features": text(captions, caption_mask)}
    os.makedirs(args.dir, exist_ok=True)
    model.save_pretrained(args.dir, safe_serialization=True)
    save_file({"pixel_values": pixels, "input_ids": ids, "attention_mask": mask, "caption_ids": captions,
               "caption_mask": caption_mask}, os.path.join(args.dir, "inputs.safetensors"))
    save_file(expected, os.path.join(args.dir, "expected.safetensors"))
    if args.onnx:
        for name, module, example, names in (("image", image, (pixels[:1],), ["pixel_values"]),
                                             ("text", text, (ids[:1], mask[:1]), ["input_ids", "attention_mask"])):
            torch.onnx.export(module, example, os.path.join(args.dir, name + ".onnx"), opset_version=17,
                              input_names=names, output_names=["features"], dynamo=False,
                              dynamic_axes={n: {0: "batch"} for n in names + ["features"]})


def runner(args, tower, feed):
    """A function that runs one batch with the engine, built for the shapes of feed."""
    path = os.path.join(args.dir, ("image" if tower == "image" else "text") + ".onnx")
    if args.engine == "ort":
        import onnxruntime
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = args.threads
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        return lambda: session.run(None, feed)[0]
    if args.engine == "ov":
        import openvino
        core = openvino.Core()
        graph = core.read_model(path)
        graph.reshape({name: list(value.shape) for name, value in feed.items()})
        compiled = core.compile_model(graph, "CPU", {"INFERENCE_NUM_THREADS": args.threads, "NUM_STREAMS": 1,
                                                     "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"})
        request = compiled.create_infer_request()
        return lambda: request.infer(feed)[compiled.output(0)]
    import torch
    from transformers import AlignModel
    torch.set_num_threads(args.threads)
    torch.set_grad_enabled(False)
    module = towers(AlignModel.from_pretrained(args.dir).eval())[0 if tower == "image" else 1]
    tensors = [torch.from_numpy(value) for value in feed.values()]
    return lambda: module(*tensors).numpy()


def time_engine(args):
    import numpy as np
    from safetensors.numpy import load_file
    inputs = load_file(os.path.join(args.dir, "inputs.safetensors"))
    expected = load_file(os.path.join(args.dir, "expected.safetensors"))
    names = {"image": {"pixel_values": "pixel_values"},
             "text": {"input_ids": "input_ids", "attention_mask": "attention_mask"},
             "caption": {"input_ids": "caption_ids", "attention_mask": "caption_mask"}}
    for tower in args.towers.split(","):
        for batch in batches(args, tower):
            run = runner(args, tower, {k: inputs[v][:batch] for k, v in names[tower].items()})
            want, got = expected[tower + "_features"][:batch], run()
            run()
            cosine = (got * want).sum(1) / np.linalg.norm(got, axis=1) / np.linalg.norm(want, axis=1)
            times = []
            while len(times) < 5 or sum(times) < args.seconds:
                begin = time.perf_counter()
                run()
                times.append(time.perf_counter() - begin)
            print(json.dumps({"engine": args.engine, "tower": tower, "batch": batch, "threads": args.threads,
                              "precision": "f32", "min_ms": round(min(times) / batch * 1e3, 3),
                              "median_ms": round(statistics.median(times) / batch * 1e3, 3),
                              "cos": round(float(cosine.min()), 7)}), flush=True)


def run_engine(args, engine, tower, batch):
    """One measurement in a process of its own, kept on one core a thread; its median in milliseconds an item."""
    common = ["--threads", str(args.threads), "--seconds", str(args.seconds)]
    if engine == "align":
        file = lambda name: os.path.join(args.dir, name + ".safetensors")
        command = [args.align, "bench", "--model", args.dir, "--inputs", file("inputs"), "--expected", file("expected"),
                   "--tower", tower, "--batch", str(batch), "--json"]
    else:
        command = [sys.executable, "-W", "ignore", os.path.abspath(__file__), "time", args.dir, "--engine", engine,
                   "--towers", tower, "--batches", str(batch)]
    cores = ",".join(str(c) for c in range(args.threads))
    out = subprocess.run(["taskset", "-c", cores] + command + common, check=True, capture_output=True, text=True,
                         env=dict(os.environ, OMP_NUM_THREADS=str(args.threads)))
    return json.loads(out.stdout.splitlines()[-1])


def compare(args):
    peers = [p for p in args.peers.split(",") if p]
    print(f"{args.threads} thread(s), f32, medians of {args.turns} turns of {args.seconds} s; ms an item\n")
    print("tower    batch    align " + "".join(f"{p:>9}  ratio" for p in peers) + "   cosine")
    for tower in args.towers.split(","):
        for batch in batches(args, tower):
            medians, cosine = {e: [] for e in ["align"] + peers}, 1.0
            for _ in range(args.turns):
                for engine in medians:
                    row = run_engine(args, engine, tower, batch)
                    medians[engine].append(row["median_ms"])
                    cosine = min(cosine, row["cos"]) if engine == "align" else cosine
            ours = statistics.median(medians["align"])
            cells = [f"{statistics.median(medians[p]):9.1f} {statistics.median(medians[p]) / ours:5.2f}x" for p in peers]
            print(f"{tower:8} {batch:5} {ours:8.1f} " + "".join(cells) + f"  {cosine:.7f}", flush=True)


if __name__ == "__main__":
    ARGS = arguments()
    {"make": make, "time": time_engine, "compare": compare}[ARGS.what](ARGS)
