"""full_model.py: the folder that compare.py works in: the full-size model with random weights, its inputs, what the
reference computes from them, and the files that the other engines want. Each file is made once; what is there stays.
"""
import importlib.util
import os
import sys

from engines import towers

CALIBRATION_TEXTS = 32


def installed(*packages):
    return all(importlib.util.find_spec(p) for p in packages)


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


def make_model(folder):
    import torch
    from safetensors.torch import save_file
    model, pixels = random_model()
    ids = torch.randint(1000, 30522, (32, 64))
    mask = torch.ones_like(ids)
    captions, caption_mask = caption_inputs(ids)
    image, text = towers(model)
    with torch.no_grad():
        expected = {"image_features": image(pixels), "text_features": text(ids, mask),
                    "caption_features": text(captions, caption_mask)}
    model.save_pretrained(folder, safe_serialization=True)
    save_file({"pixel_values": pixels, "input_ids": ids, "attention_mask": mask, "caption_ids": captions,
               "caption_mask": caption_mask}, os.path.join(folder, "inputs.safetensors"))
    save_file(expected, os.path.join(folder, "expected.safetensors"))


def make_onnx(folder):
    """Both towers, with any batch size."""
    import torch
    from safetensors.torch import load_file
    from transformers import AlignModel
    image, text = towers(AlignModel.from_pretrained(folder).eval())
    inputs = load_file(os.path.join(folder, "inputs.safetensors"))
    for name, module, names in (("image", image, ["pixel_values"]), ("text", text, ["input_ids", "attention_mask"])):
        torch.onnx.export(module, tuple(inputs[n][:1] for n in names), os.path.join(folder, name + ".onnx"),
                          opset_version=17, input_names=names, output_names=["features"], dynamo=False,
                          dynamic_axes={n: {0: "batch"} for n in names + ["features"]})


def make_text_of_any_length(folder):
    """The text tower as a server wants it: texts of any number of tokens."""
    import torch
    from safetensors.torch import load_file
    from transformers import AlignModel
    text = towers(AlignModel.from_pretrained(folder).eval())[1]
    inputs = load_file(os.path.join(folder, "inputs.safetensors"))
    names = ["input_ids", "attention_mask"]
    torch.onnx.export(text, tuple(inputs[n][:1, :32] for n in names), os.path.join(folder, "text_any.onnx"), opset_version=17,
                      input_names=names, output_names=["features"], dynamo=False,
                      dynamic_axes={**{n: {0: "batch", 1: "tokens"} for n in names}, "features": {0: "batch"}})


def samples(folder, names, count):
    """Single rows of the inputs, to calibrate with."""
    from safetensors.numpy import load_file
    inputs = load_file(os.path.join(folder, "inputs.safetensors"))
    return [{n: inputs[n][i:i + 1] for n in names} for i in range(count)]


def make_dynamic_text(folder):
    """ONNX Runtime's dynamic quantisation: weights a channel, activations as they come."""
    from onnxruntime.quantization import QuantType, quantize_dynamic
    quantize_dynamic(os.path.join(folder, "text.onnx"), os.path.join(folder, "text_int8.onnx"),
                     weight_type=QuantType.QInt8, per_channel=True)


def make_static_image(folder):
    """ONNX Runtime's static quantisation (QDQ): weights a channel, activations calibrated on the pictures of the inputs."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):
        def __init__(self):
            self.rows = iter(samples(folder, ["pixel_values"], 8))

        def get_next(self):
            return next(self.rows, None)

    prepared = os.path.join(folder, "image_prepared.onnx")
    quant_pre_process(os.path.join(folder, "image.onnx"), prepared, skip_symbolic_shape=True)
    quantize_static(prepared, os.path.join(folder, "image_int8.onnx"), Reader(), quant_format=QuantFormat.QDQ,
                    per_channel=True, activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8)
    os.remove(prepared)


def make_nncf(folder, tower):
    """OpenVINO's own post-training quantisation."""
    import nncf
    import openvino
    names, count, settings = ((["pixel_values"], 8, {"preset": nncf.QuantizationPreset.MIXED}) if tower == "image" else
                              (["input_ids", "attention_mask"], CALIBRATION_TEXTS,
                               {"model_type": nncf.ModelType.TRANSFORMER}))
    graph = openvino.Core().read_model(os.path.join(folder, tower + ".onnx"))
    quantised = nncf.quantize(graph, nncf.Dataset(samples(folder, names, count)), subset_size=count, **settings)
    openvino.save_model(quantised, os.path.join(folder, tower + "_int8.xml"), compress_to_fp16=False)


def make(folder):
    """Whatever is missing in folder and can be made with the packages that are installed."""
    there = lambda file: os.path.exists(os.path.join(folder, file))
    steps = (("model.safetensors", (), ("torch", "transformers", "safetensors"), make_model),
             ("image.onnx", ("model.safetensors",), ("torch", "transformers", "onnx"), make_onnx),
             ("text_any.onnx", ("model.safetensors",), ("torch", "transformers", "onnx"), make_text_of_any_length),
             ("text_int8.onnx", ("text.onnx",), ("onnx", "onnxruntime"), make_dynamic_text),
             ("image_int8.onnx", ("image.onnx",), ("onnx", "onnxruntime"), make_static_image),
             ("image_int8.xml", ("image.onnx",), ("openvino", "nncf"), lambda f: make_nncf(f, "image")),
             ("text_int8.xml", ("text.onnx",), ("openvino", "nncf"), lambda f: make_nncf(f, "text")))
    os.makedirs(folder, exist_ok=True)
    for file, sources, packages, step in steps:
        if there(file):
            continue
        if not installed(*packages) or not all(map(there, sources)):
            print(f"{file}: not made, needs {', '.join(sources + packages)}", file=sys.stderr)
            continue
        print(f"making {file}", file=sys.stderr, flush=True)
        step(folder)
