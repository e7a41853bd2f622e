"""The models that the goldens are made of: configs, how each is saved, which runs are kept.

Made for transformers 4.37.2 (requirements.txt). Every structural variety of the reference has a case here, as small as
it can be while odd sizes, remainders of vectors and every branch of the code stay in it.
"""

import random
from dataclasses import dataclass, field

TEXT = dict(
    vocab_size=30,
    hidden_size=16,
    num_hidden_layers=2,
    num_attention_heads=4,
    intermediate_size=21,
    max_position_embeddings=12,
    type_vocab_size=3,
)

VISION = dict(
    image_size=24,
    width_coefficient=0.25,
    depth_coefficient=1.0,
    depth_divisor=4,
    kernel_sizes=[3, 5, 3],
    in_channels=[32, 16, 24],
    out_channels=[16, 24, 40],
    strides=[1, 2, 2],
    num_block_repeats=[1, 2, 2],
    expand_ratios=[1, 6, 4],
    hidden_dim=64,
)

# Two blocks, one layer: for cases in which only one thing matters.
SMALL_TEXT = dict(hidden_size=8, num_attention_heads=2, num_hidden_layers=1, intermediate_size=24, vocab_size=16)
SMALL_VISION = dict(
    kernel_sizes=[3, 3],
    in_channels=[32, 16],
    out_channels=[16, 24],
    strides=[1, 2],
    num_block_repeats=[1, 1],
    expand_ratios=[1, 4],
)

ACTIVATIONS = (
    "gelu gelu_10 gelu_accurate gelu_fast gelu_new gelu_python gelu_pytorch_tanh laplace leaky_relu linear mish "
    "quick_gelu relu relu2 relu6 selu sigmoid silu swish tanh"
).split()

# The runs a case may ask for; make_models.py has a function for each.
TEXT_RUNS = (
    "head_mask head_mask_row ids_only position_ids position_ids_row position_ids_flat inputs_embeds mask_3d "
    "mask_zero_row mask_fractional mask_two one_token longest no_pooler"
).split()
VISION_RUNS = "other_sizes one_row_more".split()
BOTH_RUNS = "text_features image_features fewer_texts".split()


@dataclass
class Case:
    """One model folder. `text`, `vision` and `top` are the config keys that differ from the defaults above."""

    name: str
    text: dict = field(default_factory=dict)
    vision: dict = field(default_factory=dict)
    top: dict = field(default_factory=dict)
    batch: int = 2
    tokens: int = 7
    size: tuple = (16, 16)
    weight_scale: float = 1.0
    dtype: str = "float32"
    save: dict = field(default_factory=dict)  # arguments of save_pretrained
    rewrite: str = ""  # a function of checkpoint_forms.py applied to the saved folder
    brief: bool = False  # keep the final outputs only
    attentions: bool = True
    runs: tuple = ()

    def text_config(self):
        return {**TEXT, **self.text}

    def vision_config(self):
        return {**VISION, **self.vision}


def structure_cases():
    """Everything about the shape of the two towers."""
    yield Case("tiny", batch=3, tokens=9, size=(24, 24), runs=(*TEXT_RUNS, *VISION_RUNS, *BOTH_RUNS))
    yield Case(
        "odd_depth_width",
        text=dict(hidden_size=15, num_attention_heads=3, intermediate_size=19, num_hidden_layers=3, layer_norm_eps=1e-5,
                  type_vocab_size=2, hidden_act="gelu_new", pad_token_id=3),
        vision=dict(width_coefficient=0.17, depth_coefficient=1.3, depth_divisor=3, kernel_sizes=[3, 5, 7, 3],
                    in_channels=[32, 16, 24, 40], out_channels=[16, 24, 40, 48], strides=[1, 2, 2, 1],
                    num_block_repeats=[1, 2, 2, 1], expand_ratios=[1, 6, 6, 3], squeeze_expansion_ratio=0.3,
                    batch_norm_eps=1e-5, num_channels=1, hidden_act="relu"),
        top=dict(temperature_init_value=0.37), batch=3, size=(29, 37), runs=(*VISION_RUNS, *BOTH_RUNS),
    )
    yield Case(
        "width_roundup",
        vision=dict(width_coefficient=0.27, depth_divisor=8, num_block_repeats=[2, 1, 1], depth_coefficient=1.1,
                    strides=[2, 1, 2], expand_ratios=[1, 1, 2]),
        text=SMALL_TEXT, size=(24, 20),
    )
    yield Case(
        "all_stages",
        text=SMALL_TEXT,
        vision=dict(width_coefficient=0.12, depth_divisor=4, kernel_sizes=[3, 3, 5, 3, 5, 5, 3],
                    in_channels=[32, 16, 24, 40, 80, 112, 192], out_channels=[16, 24, 40, 80, 112, 192, 320],
                    strides=[1, 2, 2, 2, 1, 2, 1], num_block_repeats=[1, 2, 2, 3, 3, 4, 1],
                    expand_ratios=[1, 6, 6, 6, 6, 6, 6], hidden_dim=640),
        size=(65, 65), batch=1, dtype="float16",
    )
    yield Case("relative_key", text=dict(position_embedding_type="relative_key"), vision=SMALL_VISION,
               runs=("head_mask", "position_ids", "mask_3d", "longest"))
    yield Case("relative_key_query", text=dict(position_embedding_type="relative_key_query",
               max_position_embeddings=11), vision=SMALL_VISION, tokens=11, runs=("mask_zero_row", "one_token"))
    yield Case("no_positions", text=dict(position_embedding_type="none"), vision=SMALL_VISION)
    yield Case("decoder_causal", text=dict(is_decoder=True), vision=SMALL_VISION,
               runs=("ids_only", "mask_3d", "mask_zero_row", "head_mask"))
    yield Case("decoder_cross", text=dict(SMALL_TEXT, is_decoder=True, add_cross_attention=True), vision=SMALL_VISION,
               attentions=False)
    yield Case("no_text_layers", text=dict(SMALL_TEXT, num_hidden_layers=0), vision=SMALL_VISION)
    yield Case("pad_last", text=dict(SMALL_TEXT, pad_token_id=-1), vision=SMALL_VISION, brief=True)
    yield Case("chunked", text=dict(SMALL_TEXT, chunk_size_feed_forward=3), vision=SMALL_VISION, tokens=6, brief=True)
    yield Case("pool_max", text=SMALL_TEXT, vision=dict(pooling_type="max"))
    yield Case("pool_exact", text=SMALL_TEXT, vision=dict(hidden_dim=3), size=(24, 24), brief=True)
    yield Case("depthwise_padding", text=SMALL_TEXT, vision=dict(depthwise_padding=[1, 3], num_block_repeats=[1, 2, 1]),
               size=(25, 27), runs=VISION_RUNS)
    yield Case("even_kernels", text=SMALL_TEXT, vision=dict(kernel_sizes=[4, 1, 2], depthwise_padding=[3]),
               size=(28, 22))
    yield Case("hot_temperature", text=SMALL_TEXT, vision=SMALL_VISION, top=dict(temperature_init_value=0.01),
               brief=True)


def activation_cases():
    """Weights large enough for gelu_10 and relu6 to clip; relu2 would overflow with them."""
    for name in ACTIVATIONS:
        yield Case("act_" + name, text=dict(SMALL_TEXT, hidden_act=name), vision=dict(SMALL_VISION, hidden_act=name),
                   tokens=5, size=(12, 12), weight_scale=1.0 if name == "relu2" else 3.0)


def checkpoint_cases():
    """The same small model in every form a checkpoint comes in; only final outputs are kept."""
    def case(name, **rest):
        return Case(name, text=SMALL_TEXT, vision=SMALL_VISION, brief=True, **rest)

    yield case("bf16", dtype="bfloat16")
    yield case("f16", dtype="float16")
    yield case("sharded", save=dict(max_shard_size="5KB"))
    yield case("bin", save=dict(safe_serialization=False))
    yield case("bin_bf16", save=dict(safe_serialization=False), dtype="bfloat16")
    yield case("bin_sharded", save=dict(safe_serialization=False, max_shard_size="8KB"))
    yield case("bin_legacy_pickle", save=dict(safe_serialization=False), rewrite="bare_pickle")
    yield case("bin_views", save=dict(safe_serialization=False), rewrite="views_into_one_storage")
    yield case("legacy_keys", rewrite="old_key_spellings")
    yield case("missing_keys", rewrite="without_fixed_keys", top=dict(temperature_init_value=0.7))


def named_cases():
    yield from structure_cases()
    yield from activation_cases()
    yield from checkpoint_cases()


def random_case(number, seed):
    """A model of random structure: the same for the same seed and number."""
    rng = random.Random(f"{seed}/{number}")
    heads = rng.randint(1, 5)
    head_size = rng.randint(-(-8 // heads), 24)  # a norm over fewer than 8 numbers is at the mercy of rounding
    stages = rng.randint(1, 4)
    positions = rng.randint(9, 40)
    channels = [rng.choice([8, 16, 24, 40, 56]) for _ in range(stages)]
    return Case(
        f"random_{number:03d}",
        text=dict(
            vocab_size=rng.randint(20, 300), hidden_size=heads * head_size, num_attention_heads=heads,
            num_hidden_layers=rng.randint(1, 4), intermediate_size=rng.randint(1, 130),
            max_position_embeddings=positions, type_vocab_size=rng.randint(1, 4),
            hidden_act=rng.choice(ACTIVATIONS), layer_norm_eps=rng.choice([1e-12, 1e-5]),
            position_embedding_type=rng.choice(["absolute", "relative_key", "relative_key_query", "none"]),
            is_decoder=rng.random() < 0.25,
        ),
        vision=dict(
            width_coefficient=rng.uniform(0.1, 1.2), depth_coefficient=rng.uniform(0.5, 2.1),
            depth_divisor=rng.choice([1, 2, 4, 7, 8]), num_channels=rng.choice([1, 3, 3, 4]),
            kernel_sizes=[rng.choice([1, 2, 3, 3, 4, 5, 5, 7]) for _ in range(stages)],
            in_channels=[32] + channels[:-1], out_channels=channels,
            strides=[rng.choice([1, 1, 2]) for _ in range(stages)],
            num_block_repeats=[rng.randint(1, 3) for _ in range(stages)],
            expand_ratios=[rng.choice([1, 2, 4, 6]) for _ in range(stages)],
            depthwise_padding=sorted(rng.sample(range(6), rng.randint(0, 3))),
            squeeze_expansion_ratio=rng.uniform(0.05, 0.5), batch_norm_eps=rng.choice([1e-3, 1e-5]),
            pooling_type=rng.choice(["mean", "mean", "max"]), hidden_act=rng.choice(ACTIVATIONS),
        ),
        top=dict(temperature_init_value=rng.choice([1.0, 0.07, 0.3])),
        batch=rng.randint(1, 4), tokens=rng.randint(6, positions), size=(rng.randint(40, 70), rng.randint(40, 70)),
        dtype=rng.choice(["float32", "float32", "float16", "bfloat16"]),
        save=rng.choice([{}, dict(max_shard_size="20KB"), dict(safe_serialization=False)]),
        runs=(*TEXT_RUNS, *VISION_RUNS, *BOTH_RUNS),
    )
