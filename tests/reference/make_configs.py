#!/usr/bin/env python3
"""Makes tests/golden/model: what the reference does with config.json files, state dicts and ill-fitting checkpoints.

Made with transformers 4.37.2, torch 2.15.0, safetensors 0.8.0 (requirements.txt).

    python make_configs.py --out ../golden/model

* configs.json: a list of {name, class, input, output}: output is to_json_string() of the config read from input; again
  is the same of the config read from output, where it differs.
* state_dicts.json: a list of {name, class, no_pooler, config, tensors}: a line "key d0 d1 ..." for every entry of
  state_dict(), in its order.
* load_reports.json: a list of {name, class, ignore, edits, missing, unexpected, mismatched, message}: from_pretrained of
  golden/models/<model> after the edits, which are of one kind each: drop KEY, rename OLD NEW, prefix TEXT,
  reshape KEY [SHAPE] (zeros), add KEY [SHAPE] (zeros).
"""

import argparse
import json
import os
import tempfile
import warnings

import golden_io  # noqa: F401  (sets the environment before transformers is loaded)
import torch
from safetensors.torch import load_file, save_file
from transformers import AlignConfig, AlignModel, AlignTextConfig, AlignTextModel, AlignVisionConfig, AlignVisionModel
from transformers.utils import logging

CLASSES = {
    "align": (AlignConfig, AlignModel),
    "text": (AlignTextConfig, AlignTextModel),
    "vision": (AlignVisionConfig, AlignVisionModel),
}

SMALL_TEXT = {
    "vocab_size": 16,
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 12,
    "max_position_embeddings": 10,
}
SMALL_VISION = {
    "width_coefficient": 0.25,
    "depth_coefficient": 1.1,
    "kernel_sizes": [3, 5],
    "in_channels": [32, 16],
    "out_channels": [16, 24],
    "strides": [1, 2],
    "num_block_repeats": [1, 2],
    "expand_ratios": [1, 4],
}
SMALL = {"text_config": SMALL_TEXT, "vision_config": SMALL_VISION, "projection_dim": 8}


def config_inputs():
    """(name, class, object or JSON text) of every config that is read and written again."""
    yield "defaults", "align", {}
    yield "text defaults", "text", {}
    yield "vision defaults", "vision", {}
    yield "nulls", "align", {"text_config": None, "vision_config": None}
    yield "small", "align", SMALL
    yield "text small", "text", SMALL_TEXT
    yield "vision small", "vision", SMALL_VISION
    yield "text out of full", "text", {"model_type": "align", **SMALL}
    yield "vision out of full", "vision", {"model_type": "align", **SMALL}
    yield "align-base", "align", {
        "architectures": ["AlignModel"],
        "model_type": "align",
        "text_config": {"model_type": "align_text_model"},
        "vision_config": {"model_type": "align_vision_model", "image_size": 289, "hidden_dim": 640, "dropout_rate": 0.5},
        "torch_dtype": "float32",
        "transformers_version": "4.24.0",
    }
    # as versions before the nested diff wrote it: everything, defaults too
    full = AlignConfig().to_dict()
    yield "full defaults", "align", full
    changed = json.loads(json.dumps(full))
    changed["text_config"].update(SMALL_TEXT, top_k=7, torch_dtype="float16", transformers_version="4.20.1")
    changed["vision_config"].update(SMALL_VISION, num_hidden_layers=3)
    yield "full changed", "align", changed
    for key, value in (
        ("output_hidden_states", True),
        ("output_attentions", True),
        ("return_dict", False),
        ("return_dict", 1),
        ("torchscript", True),
        ("torch_dtype", "float16"),
        ("torch_dtype", "bfloat16"),
        ("torch_dtype", None),
        ("architectures", ["A", "B"]),
        ("num_labels", 3),
        ("num_labels", 0),
        ("num_labels", 2),
        ("num_labels", 12),
        ("id2label", {str(i): f"name {i}" for i in range(12)}),
        ("id2label", {"02": "two", "-1": "minus one"}),
        ("id2label", {"0": "LABEL_0", "1": "LABEL_1"}),
        ("label2id", {"a": 1}),
        ("tie_word_embeddings", False),
        ("is_encoder_decoder", True),
        ("bos_token_id", 5),
        ("pad_token_id", 3),
        ("pad_token_id", None),
        ("eos_token_id", [1, 2]),
        ("temperature", 1),
        ("temperature", 0.7),
        ("length_penalty", 2),
        ("max_length", 20.0),
        ("task_specific_params", {"b": {"z": 1, "a": [1.5, None, "x"]}, "a": {}}),
        ("problem_type", "regression"),
        ("gradient_checkpointing", False),
        ("xla_device", None),
        ("name_or_path", "somewhere"),
        ("_name_or_path", "elsewhere"),
        ("_commit_hash", "0123"),
        ("attn_implementation", "eager"),
        ("quantization_config", {"bits": 4}),
        ("use_bfloat16", True),
        ("chunk_size_feed_forward", 4),
        ("unknown", {"nested": [{"b": 1, "a": 2}], "float": 1e-07, "big": 2**64}),
        ("unknown", 'quotes " \\ \n \t \u00e9 \u20ac \U0001f600 \u007f'),
        ("unknown", []),
        ("unknown", {}),
        ("unknown", -0.0),
        ("unknown", 1e18),
        ("unknown", 2.5e-300),
        ("text_config_dict", {"vocab_size": 3}),
    ):
        for kind in ("align", "text"):
            yield f"{kind} {key}", kind, {key: value}
        yield f"nested {key}", "align", {"text_config": {key: value}, "vision_config": {key: value}}
    for key, value in (
        ("layer_norm_eps", 1e-5),
        ("layer_norm_eps", 1e-12),
        ("hidden_act", "gelu_new"),
        ("position_embedding_type", "relative_key_query"),
        ("use_cache", False),
        ("is_decoder", True),
        ("add_cross_attention", True),
        ("hidden_dropout_prob", 0.0),
        ("initializer_range", 1e-10),
        ("initializer_range", 0.1 + 0.2),
        ("pruned_heads", {"10": [1, 2], "2": [0], "0": []}),
        ("pruned_heads", {}),
    ):
        yield f"text {key}", "text", {key: value}
        yield f"nested text {key}", "align", {"text_config": {key: value}}
    for key, value in (
        ("depthwise_padding", [1, 4]),
        ("num_block_repeats", [1, 2]),
        ("num_block_repeats", [4, 4, 4, 4]),
        ("num_block_repeats", []),
        ("expand_ratios", [1, 6, 6, 6, 6, 6, 6]),
        ("expand_ratios", [1.0, 6.0, 6.0, 6.0, 6.0, 6.0, 6.0]),
        ("pooling_type", "max"),
        ("batch_norm_eps", 1e-3),
        ("num_hidden_layers", 5),
        ("width_coefficient", 1.1),
        ("depth_coefficient", 100.0),
        ("drop_connect_rate", 1e16),
        ("drop_connect_rate", 123456789012345.6),
    ):
        whole = key == "expand_ratios" and isinstance(value[0], float)
        if not whole:  # alone, the reference writes 1.0 back where we write 1
            yield f"vision {key}", "vision", {key: value}
        yield f"nested vision {key}", "align", {"vision_config": {key: value}}
    for key, value in (("num_labels", 3), ("torch_dtype", "float16"), ("pad_token_id", 3), ("is_decoder", True)):
        yield f"vision {key}", "vision", {key: value}
    yield "projection", "align", {"projection_dim": 12, "temperature_init_value": 0.07, "initializer_range": 0.5}


def rewrite(folder, kind, text):
    """to_json_string() of a config.json."""
    with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as file:
        file.write(text)
    return CLASSES[kind][0].from_pretrained(folder).to_json_string()


def make_configs(folder):
    cases = []
    for name, kind, config in config_inputs():
        text = json.dumps(config)
        output = rewrite(folder, kind, text)
        again = rewrite(folder, kind, output)
        cases.append({"name": name, "class": kind, "input": text, "output": output})
        if again != output:
            cases[-1]["again"] = again
    return cases


def state_dict_configs():
    """(name, class, config, whether without a pooler)"""
    yield "small", "align", SMALL, False
    yield "text", "text", SMALL_TEXT, False
    yield "text without pooler", "text", SMALL_TEXT, True
    yield "relative_key", "text", {**SMALL_TEXT, "position_embedding_type": "relative_key"}, False
    yield "relative_key_query", "align", {
        **SMALL,
        "text_config": {**SMALL_TEXT, "position_embedding_type": "relative_key_query"},
    }, False
    yield "other positions", "text", {**SMALL_TEXT, "position_embedding_type": "none"}, False
    yield "cross attention", "text", {**SMALL_TEXT, "is_decoder": True, "add_cross_attention": True}, False
    yield "cross attention, relative", "text", {
        **SMALL_TEXT,
        "is_decoder": True,
        "add_cross_attention": True,
        "position_embedding_type": "relative_key",
    }, False
    yield "decoder", "text", {**SMALL_TEXT, "is_decoder": True}, False
    yield "no layers", "text", {**SMALL_TEXT, "num_hidden_layers": 0}, False
    yield "vision", "vision", SMALL_VISION, False
    yield "expand ratios 1", "vision", {**SMALL_VISION, "expand_ratios": [1.0, 1], "num_channels": 1}, False
    yield "longer lists", "vision", {
        **SMALL_VISION,
        "strides": [1, 2, 9],
        "kernel_sizes": [3, 5, 7],
        "out_channels": [16, 24, 1],
        "num_block_repeats": [1, 2, 5],
        "expand_ratios": [1, 4, 0],
    }, False
    yield "no blocks", "vision", {**SMALL_VISION, "depth_coefficient": 0.0}, False
    yield "odd widths", "vision", {
        **SMALL_VISION,
        "width_coefficient": 1.3,
        "depth_divisor": 7,
        "depth_coefficient": 2.6,
        "squeeze_expansion_ratio": 0.01,
    }, False
    yield "defaults", "align", {}, False


def make_state_dicts():
    cases = []
    for name, kind, config, no_pooler in state_dict_configs():
        config_class, model_class = CLASSES[kind]
        with torch.device("meta"):
            model = model_class(config_class(**config), **({"add_pooling_layer": False} if no_pooler else {}))
        lines = [" ".join([key, *map(str, tensor.shape)]) for key, tensor in model.state_dict().items()]
        text = json.dumps(config)
        cases.append({"name": name, "class": kind, "no_pooler": no_pooler, "config": text, "tensors": lines})
    return cases


LAYER = "text_model.encoder.layer.0."


def load_cases():
    """(name, class, model, whether mismatches are ignored, edits)"""
    yield "whole", "align", "act_relu", False, []
    yield "missing", "align", "act_relu", False, [
        ["drop", "temperature"],
        ["drop", "text_projection.weight"],
        ["drop", LAYER + "intermediate.dense.weight"],
        ["drop", "text_model.embeddings.LayerNorm.bias"],
        ["drop", "vision_model.encoder.blocks.1.expansion.expand_bn.running_var"],
    ]
    yield "unexpected", "align", "act_relu", False, [
        ["add", "zz", [1]],
        ["add", "text_model.embeddings.position_ids", [1, 12]],
        ["add", "text_model.embeddings.token_type_ids", [1, 12]],
        ["add", "vision_model.embeddings.position_ids", [1]],
        ["add", "a.beta.gamma.beta", [1]],
        ["add", "Z", []],
        ["add", "module.temperature", []],
    ]
    yield "old names", "align", "act_relu", False, [
        ["rename", "text_model.embeddings.LayerNorm.weight", "text_model.embeddings.LayerNorm.gamma"],
        ["rename", "text_model.embeddings.LayerNorm.bias", "text_model.embeddings.LayerNorm.beta"],
        ["rename", LAYER + "output.LayerNorm.weight", LAYER + "output.LayerNorm.gamma"],
    ]
    yield "prefix", "align", "act_relu", False, [
        ["prefix", "align."],
        ["add", "align.text_model.embeddings.position_ids", [1, 12]],
        ["add", "text_model.embeddings.token_type_ids", [1, 12]],
        ["drop", "align.temperature"],
    ]
    yield "prefix without dot", "align", "act_relu", False, [["add", "aligned", [1]], ["drop", "temperature"]]
    yield "another prefix", "align", "act_relu", False, [["prefix", "module."]]
    yield "scalar of one axis", "align", "act_relu", False, [["reshape", "temperature", [1]]]
    yield "scalar of two axes", "align", "act_relu", False, [["reshape", "temperature", [1, 1]]]
    mismatches = [
        ["reshape", "temperature", [2]],
        ["reshape", "text_projection.bias", [3]],
        ["reshape", "text_model.pooler.dense.weight", [3, 5]],
        ["reshape", "vision_model.embeddings.batchnorm.weight", [5]],
        ["reshape", LAYER + "attention.self.key.bias", [2, 4]],
    ]
    yield "mismatched", "align", "act_relu", False, mismatches
    yield "mismatched, ignored", "align", "act_relu", True, mismatches + [["drop", "text_projection.weight"]]
    yield "text", "text", "tiny_text", False, [
        ["drop", "pooler.dense.bias"],
        ["add", "pooler.dense.extra", [2]],
        ["add", "embeddings.position_ids", [1, 12]],
    ]
    yield "text with prefix", "text", "tiny_text", False, [["prefix", "align."], ["drop", "align.pooler.dense.bias"]]
    yield "vision", "vision", "tiny_vision", False, [
        ["drop", "embeddings.convolution.weight"],
        ["add", "embeddings.position_ids", [1, 12]],
    ]


def apply(edits, state):
    for edit, *arguments in edits:
        if edit == "drop":
            del state[arguments[0]]
        elif edit == "rename":
            state[arguments[1]] = state.pop(arguments[0])
        elif edit == "prefix":
            state = {arguments[0] + key: value for key, value in state.items()}
        else:
            state[arguments[0]] = torch.zeros(arguments[1])
    return state


def mismatch_lines(error):
    """The lines of the RuntimeError that name tensors."""
    return [line.strip() for line in str(error).split("\n") if line.strip().startswith("size mismatch")]


def make_load_reports(folder, models):
    cases = []
    for name, kind, model, ignore, edits in load_cases():
        source = os.path.join(models, model)
        state = apply(edits, load_file(os.path.join(source, "model.safetensors")))
        save_file(state, os.path.join(folder, "model.safetensors"), metadata={"format": "pt"})
        with open(os.path.join(source, "config.json"), encoding="utf-8") as file:
            config = json.load(file)
        with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as file:
            json.dump(config, file)
        report = {"missing_keys": [], "unexpected_keys": [], "mismatched_keys": []}
        message = []
        try:
            _, report = CLASSES[kind][1].from_pretrained(
                folder, output_loading_info=True, ignore_mismatched_sizes=ignore
            )
        except RuntimeError as error:
            message = mismatch_lines(error)
        cases.append(
            {
                "name": name,
                "class": kind,
                "model": model,
                "ignore": ignore,
                "edits": edits,
                "missing": report["missing_keys"],
                "unexpected": report["unexpected_keys"],
                "mismatched": [key for key, *_ in report["mismatched_keys"]],
                "message": message,
            }
        )
    return cases


def write(folder, name, value):
    with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
        json.dump(value, file, indent=1)
        file.write("\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    here = os.path.dirname(os.path.abspath(__file__))
    parser.add_argument("--out", default=os.path.join(here, "..", "golden", "model"))
    parser.add_argument("--models", default=os.path.join(here, "..", "golden", "models"))
    arguments = parser.parse_args()
    logging.set_verbosity_error()
    warnings.filterwarnings("ignore")
    os.makedirs(arguments.out, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        write(arguments.out, "configs.json", make_configs(folder))
        write(arguments.out, "state_dicts.json", make_state_dicts())
        write(arguments.out, "load_reports.json", make_load_reports(folder, arguments.models))


if __name__ == "__main__":
    main()
