"""The model that training starts from -> out/start, a Hugging Face folder: the text tower of distil.py, an image tower with random weights, and as the
text's projection the 256 directions in which the training texts differ most."""
import os

import torch
from transformers import AlignModel, AlignProcessor, EfficientNetImageProcessor

from captions import EACH
from common import OUT, SIDE, load_concepts, split
from distil import tokenizer
from model import WIDTH, config, spread


def processor(tok, side=SIDE):
    pictures = EfficientNetImageProcessor(do_resize=True, size=dict(height=side, width=side), resample=2, do_center_crop=False, crop_size=dict(height=side, width=side),
                                          do_rescale=True, rescale_factor=1 / 127.5, rescale_offset=True, do_normalize=False, include_top=False)
    return AlignProcessor(pictures, tok)


def main():
    torch.manual_seed(0)
    torch.set_num_threads(1)
    concepts = load_concepts()
    train, _ = split(concepts)
    X = torch.load(os.path.join(OUT, 'captions.pt'))['feats'].float()
    caps = (torch.tensor(train)[:, None] * EACH + torch.arange(EACH)).flatten()
    mu = X[caps].mean(0)
    _, _, V = torch.linalg.svd(X[caps][::3] - mu, full_matrices=False)
    P = V[:WIDTH]
    tok, S = tokenizer(), torch.load(os.path.join(OUT, 'text.pt'))
    m = AlignModel(config(len(tok)))
    spread(m.vision_model)
    m.text_model.load_state_dict(S['bert'])
    with torch.no_grad():                        # P (e - mu) with e = H h + c
        m.text_projection.weight.copy_(P @ S['H']['weight'])
        m.text_projection.bias.copy_(P @ (S['H']['bias'] - mu))
    folder = os.path.join(OUT, 'start')
    processor(tok).save_pretrained(folder)
    tok.save_vocabulary(folder)
    m.config._name_or_path = ''
    m.save_pretrained(folder)


if __name__ == '__main__':
    main()
