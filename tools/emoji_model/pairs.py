"""The training pairs as `align train` reads them: out/pairs/train-000.tar ..., WebDataset shards of pictures (JPEG, 72 px) and the texts that are true
of each (.json); and out/pairs/validation.tar, one drawing of every concept trained on with its bare name.

Every drawing of a training style is there several times, and every SVG drawing several times more in manners of no style (restyle.py), each time moved, turned,
bent, recoloured, outlined and put on some background (augment.py): what a general trainer's crops, mirror images and colours cannot do. Icons (icons.py) join them."""
import argparse
import collections
import io
import json
import multiprocessing
import os
import random
import tarfile

import numpy as np
import torch
from PIL import Image

from augment import COLOURS, NO_FLIP, augment, on_white
from captions import EACH
from common import OUT, TRAIN_VENDORS, load_concepts, split
from icons import icons, texts
from prepare import RESTYLED, svg, svg_sets
from restyle import restyle

SIDE = 72
NAMED = 24                                       # times that an emoji's bare name is added to its texts
WEIGHT = dict(noto=1, noto_tone=.4, twemoji=1, fluent=1, fluent_flat=.8, noto_v1=.8, fxemoji=1, emojione=1, streamline=1.8, fluent_mono=.4, emojione_mono=.3)
AGAIN = dict(noto=1, twemoji=1, fluent_flat=1, noto_v1=1, fxemoji=1.2, emojione=1.2, streamline=1.5)    # restyled


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


# What a picture is drawn from: the style it is in as it is, or a set to restyle; the icon, where it is one of a set of icons; the emoji it shows (its
# index), or the name of an icon that shows none.
Source = collections.namedtuple('Source', 'style again icon what')


class Maker:
    """Writes the shards, each from its own random numbers, so that any number of processes writes the same."""

    def __init__(self, shards, variants, restyled, icon_variants):
        self.concepts, captions, Z = load_concepts(), torch.load(os.path.join(OUT, 'captions.pt')), np.load(os.path.join(OUT, 'pictures.npz'))
        self.shards, self.train, self.said = shards, split(self.concepts)[0], captions['text']
        self.drawn, self.has, self.sets = {v: Z[v] for v in TRAIN_VENDORS}, {v: Z['has_' + v] for v in TRAIN_VENDORS}, svg_sets(RESTYLED)
        found, self.icon_sets = icons(self.concepts, set(captions['seen']))
        times = lambda n, i: max(1, round(n * share(self.concepts[i])))
        self.todo = []
        for v in TRAIN_VENDORS:
            for i in self.train:
                self.todo += [Source(v, False, None, i)] * (times(variants * WEIGHT[v], i) if self.has[v][i] else 0)
        for v, s in self.sets.items():
            for i in self.train:
                self.todo += [Source(v, True, None, i)] * (times(restyled * AGAIN[v], i) if s.text(self.concepts[i]['code']) else 0)
        for folder, icon, what in found:
            self.todo += [Source(folder, True, icon, what)] * icon_variants
        random.Random(0).shuffle(self.todo)

    def name(self, what):
        return what if isinstance(what, str) else self.concepts[what]['name']

    def texts(self, what):
        return texts(what) if isinstance(what, str) else self.said[what * EACH:(what + 1) * EACH] + [self.name(what)] * NAMED

    def draw(self, s, rng):
        """A drawing as it is, or restyled; what restyling leaves nothing of stays as it is."""
        if not s.again:
            return self.drawn[s.style][s.what]
        if s.icon:
            ink = rng.choice(['#000', '#000', '#222', '#%02x%02x%02x' % tuple(rng.randrange(256) for _ in range(3))])
            text = self.icon_sets[s.style].drawing(s.icon, ink)
            if rng.random() < .5:
                return svg(text, 1)
        else:
            text = self.sets[s.style].text(self.concepts[s.what]['code'])
        sign = not isinstance(s.what, str) and self.concepts[s.what]['cat'] == 'Symbols'
        x = svg(restyle(text, rng, bool(COLOURS.search(self.name(s.what))), sign), 1)
        return x if (x[..., 3] > 128).sum() > 100 else svg(text, 1)

    def shard(self, n):
        torch.set_num_threads(1)
        rng, g, todo = random.Random(n), torch.Generator().manual_seed(n), self.todo[n::self.shards]
        flags = lambda of, part: torch.tensor([bool(of(s)) for s in part])
        with tarfile.open(os.path.join(OUT, 'pairs', 'train-%03d.tar' % n), 'w', format=tarfile.USTAR_FORMAT) as tar:
            for k in range(0, len(todo), 512):
                part = todo[k:k + 512]
                x = augment(torch.from_numpy(np.stack([self.draw(s, rng) for s in part])), flags(lambda s: not NO_FLIP.search(self.name(s.what)), part),
                            flags(lambda s: COLOURS.search(self.name(s.what)), part), flags(lambda s: s.style.endswith('_mono'), part),
                            flags(lambda s: s.again, part), g, SIDE)
                for m, (s, y) in enumerate(zip(part, x)):
                    key = '%03d-%05d' % (n, k + m)
                    add(tar, key + '.jpg', jpeg(y))
                    add(tar, key + '.json', json.dumps(dict(texts=self.texts(s.what))).encode())

    def validation(self):
        with tarfile.open(os.path.join(OUT, 'pairs', 'validation.tar'), 'w', format=tarfile.USTAR_FORMAT) as tar:
            for i in self.train:
                if self.has['emojione'][i]:
                    key = self.concepts[i]['code'] + '-emojione'
                    add(tar, key + '.jpg', jpeg(on_white(self.drawn['emojione'][[i]], 64)[0]))
                    add(tar, key + '.txt', self.concepts[i]['name'].encode())


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument('--variants', type=float, default=5, help='of a drawing in a style of weight 1')
    ap.add_argument('--restyled', type=float, default=14, help='of an SVG drawing')
    ap.add_argument('--icons', type=int, default=3, help='of an icon')
    ap.add_argument('--shards', type=int, default=20)
    ap.add_argument('--processes', type=int, default=2)
    a = ap.parse_args()
    os.makedirs(os.path.join(OUT, 'pairs'), exist_ok=True)
    maker = Maker(a.shards, a.variants, a.restyled, a.icons)
    maker.validation()
    workers = [multiprocessing.Process(target=lambda p: [maker.shard(n) for n in range(p, a.shards, a.processes)], args=(p,)) for p in range(a.processes)]
    for w in workers:
        w.start()
    for w in workers:
        w.join()
        if w.exitcode:
            raise SystemExit('a process failed')
    print(len(maker.todo), 'pictures:', dict(collections.Counter(('restyled ' if s.again and not s.icon else '') + s.style for s in maker.todo)))


if __name__ == '__main__':
    main()
