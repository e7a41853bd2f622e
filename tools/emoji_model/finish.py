"""What comes after training: sets the temperature at which probabilities are most nearly right, and writes the folder that ships, in float16 and in
files of less than 10 MB.
python finish.py --from out/stage2 --to models/emoji"""
import argparse
import os
import random

import numpy as np
import torch
import torch.nn.functional as F
from transformers import AlignModel

from augment import on_white
from common import OUT, load_concepts, split
from distil import tokenizer
from start import processor


@torch.no_grad()
def calibrate(m, tok, concepts, train, held):
    """For known and unknown concepts alike: Noto, Twemoji and Fluent drawings of the 150 held-out concepts and of 150 trained ones, each kind against
    its own 150 names."""
    Z, logits = np.load(os.path.join(OUT, 'pictures.npz')), []
    for ix in (held, random.Random(3).sample(train, 150)):
        t = F.normalize(m.get_text_features(**tok([concepts[i]['name'] for i in ix], padding=True, return_tensors='pt')), dim=1)
        logits += [F.normalize(m.get_image_features(on_white(Z[v][ix])), dim=1) @ t.T for v in ('noto', 'twemoji', 'fluent')]
    wrong = {T: sum(F.cross_entropy(s / T, torch.arange(150)).item() for s in logits) for T in np.arange(.02, .15, .002)}
    T = float(min(wrong, key=wrong.get))
    print('temperature %.3f as learned, %.3f calibrated' % (m.temperature.item(), T))
    m.temperature.fill_(T)
    m.config.temperature_init_value = round(T, 3)


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument('--from', dest='source', default=os.path.join(OUT, 'stage2'))
    ap.add_argument('--to', default='models/emoji')
    a = ap.parse_args()
    torch.set_num_threads(1)
    concepts, tok, m = load_concepts(), tokenizer(), AlignModel.from_pretrained(a.source).eval()
    calibrate(m, tok, concepts, *split(concepts))
    for f in os.listdir(a.to) if os.path.isdir(a.to) else []:
        if f != 'README.md':
            os.remove(os.path.join(a.to, f))
    processor(tok).save_pretrained(a.to)
    tok.save_vocabulary(a.to)
    m.config._name_or_path = ''
    m.half().save_pretrained(a.to, max_shard_size='9500KB')
    sizes = {f: os.path.getsize(os.path.join(a.to, f)) for f in sorted(os.listdir(a.to))}
    print(sizes, sum(sizes.values()))


if __name__ == '__main__':
    main()
