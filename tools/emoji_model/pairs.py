"""The training pairs as `align train` reads them: out/pairs/train-000.tar ..., WebDataset shards of pictures (JPEG, 72 px) and the texts that are true
of each (.json); and out/pairs/validation.tar, one drawing of every concept trained on with its bare name.

Every drawing of a training style is there several times, each time moved, turned, recoloured, outlined and put on some background (augment.py): what a
general trainer's crops, mirror images and colours cannot do."""
import argparse
import io
import json
import os
import tarfile

import numpy as np
import torch
from PIL import Image

from augment import COLOURS, NO_FLIP, augment, on_white
from captions import EACH
from common import OUT, TRAIN_VENDORS, load_concepts, split

SIDE = 72
WEIGHT = dict(noto=1, noto_tone=.4, twemoji=1, fluent=1, fluent_flat=.8, noto_v1=.8, fxemoji=1, emojione=1, streamline=1.8, fluent_mono=.4)


def share(concept):
    """Families, clock faces and the gendered variants are many and alike: fewer of each."""
    if concept['sub'] == 'family' or 'thirty' in concept['name'] or "o'clock" in concept['name']:
        return .35
    return .6 if concept['name'].startswith(('man ', 'woman ')) else 1.


def jpeg(x):
    out = io.BytesIO()
    rgb = ((x + 1) * 127.5).round().clamp(0, 255).byte().permute(1, 2, 0).numpy()
    Image.fromarray(rgb).save(out, 'JPEG', quality=93, subsampling=0)
    return out.getvalue()


def add(tar, name, data):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument('--variants', type=float, default=8, help='of a drawing in a style of weight 1')
    ap.add_argument('--shards', type=int, default=8)
    a = ap.parse_args()
    torch.set_num_threads(1)
    concepts = load_concepts()
    train, _ = split(concepts)
    Z = np.load(os.path.join(OUT, 'pictures.npz'))
    C = torch.load(os.path.join(OUT, 'captions.pt'))
    texts = lambda i: json.dumps(dict(texts=C['text'][i * EACH:(i + 1) * EACH])).encode()
    flip = torch.tensor([not NO_FLIP.search(c['name']) for c in concepts])
    keep = torch.tensor([bool(COLOURS.search(c['name'])) for c in concepts])
    folder = os.path.join(OUT, 'pairs')
    os.makedirs(folder, exist_ok=True)
    g = torch.Generator().manual_seed(0)
    shards = [tarfile.open(os.path.join(folder, 'train-%03d.tar' % k), 'w', format=tarfile.USTAR_FORMAT) for k in range(a.shards)]
    count, seen = 0, set()
    with tarfile.open(os.path.join(folder, 'validation.tar'), 'w', format=tarfile.USTAR_FORMAT) as validation:
        for v in TRAIN_VENDORS:
            P = Z[v]
            ix = [i for i in train if Z['has_' + v][i]]
            for i in ix if v == 'emojione' else []:
                add(validation, '%s-%s.jpg' % (concepts[i]['code'], v), jpeg(on_white(P[[i]], 64)[0]))
                add(validation, '%s-%s.txt' % (concepts[i]['code'], v), concepts[i]['name'].encode())
            todo = [(i, k) for i in ix for k in range(max(1, round(a.variants * WEIGHT[v] * share(concepts[i]))))]
            for s in range(0, len(todo), 512):
                part = torch.tensor([i for i, _ in todo[s:s + 512]])
                x = augment(torch.from_numpy(P[part.numpy()]), flip[part], keep[part], torch.full((len(part),), v == 'fluent_mono'), g, SIDE)
                for (i, k), y in zip(todo[s:s + 512], x):
                    key = '%s-%s-%d' % (concepts[i]['code'], v, k)
                    add(shards[count % a.shards], key + '.jpg', jpeg(y))
                    add(shards[count % a.shards], key + '.json', texts(i))
                    count += 1
                    seen.add(i)
    for t in shards:
        t.close()
    print(count, 'pictures of', len(seen), 'concepts')


if __name__ == '__main__':
    main()
