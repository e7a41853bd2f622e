"""The model's shape. Everything in config.json comes from here."""
import math

import torch
from transformers import AlignConfig, AlignTextConfig, AlignVisionConfig

from common import SIDE

LAYERS = 5                                       # of the teacher's six
WIDTH = 256                                      # projection_dim = round_filters(out_channels[-1])


def config(vocab_size):
    # width_coefficient 0.5 makes the stem 16 wide (the reference fixes it at 32 times that); so all widths are doubled here.
    vision = AlignVisionConfig(image_size=SIDE, width_coefficient=.5, depth_coefficient=1.0, hidden_dim=WIDTH,
                               in_channels=[32, 64, 128, 192, 256], out_channels=[64, 128, 192, 256, 2 * WIDTH], kernel_sizes=[3, 3, 3, 5, 3],
                               strides=[2, 2, 1, 2, 1], num_block_repeats=[1, 2, 2, 3, 1], expand_ratios=[1, 4, 4, 4, 4],
                               batch_norm_momentum=.1, drop_connect_rate=.1)
    words = AlignTextConfig(vocab_size=vocab_size, max_position_embeddings=64, hidden_size=384, num_hidden_layers=LAYERS, num_attention_heads=12, intermediate_size=1536,
                            hidden_dropout_prob=0., attention_probs_dropout_prob=0.)
    return AlignConfig(text_config=words.to_dict(), vision_config=vision.to_dict(), projection_dim=WIDTH, temperature_init_value=.05)


def spread(vision):
    """The reference's 0.02 is far too narrow to train convolutions from scratch."""
    for mod in vision.modules():
        if isinstance(mod, torch.nn.Conv2d):
            torch.nn.init.normal_(mod.weight, 0, math.sqrt(1.0 / (mod.weight.shape[1] * mod.kernel_size[0] ** 2)))
