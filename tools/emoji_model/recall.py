"""Whether `align search` finds what brute force finds: the drawings of a vendor that the model never saw, asked for by their names.

    python tools/emoji_model/recall.py build/align [models/emoji] [--vendor openmoji] [--limit N]

Needs the work folder of README.md (drawings and names). Indexes all drawings with `align index`, asks `align search` for every name, and
does the same in NumPy from what `align embed` writes: vectors in f16, as an index keeps them, and all their products with the name's.
Prints recall@1/5/10 of both, in per cent, and fails where they differ, or a list of ten does by more than one step of f16 can make."""
import argparse
import os
import subprocess
import sys
import tempfile

import numpy as np

from common import load_concepts
from evaluate import natural

TOP = 10


def run(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, encoding='utf-8').stdout


def embed(align, model, option, values, output):
    run(align, 'embed', '--model', model, '--quiet', '--output', output, option, *values)
    return np.load(output)


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument('align')
    ap.add_argument('model', nargs='?', default='models/emoji')
    ap.add_argument('--vendor', default='openmoji')
    ap.add_argument('--limit', type=int)
    a = ap.parse_args()
    concepts = load_concepts()
    with tempfile.TemporaryDirectory() as work:
        work = os.path.realpath(work)
        folder, store = os.path.join(work, 'drawings'), os.path.join(work, 'index.db')
        os.mkdir(folder)
        files, names = [], []
        for i, picture in enumerate(natural(a.vendor, concepts)):
            if picture is not None and (a.limit is None or len(files) < a.limit):
                files.append(os.path.join(folder, '%04d.png' % i))
                names.append(concepts[i]['name'])
                picture.save(files[-1])
        run(a.align, 'index', folder, '--model', a.model, '--store', store, '--quiet')
        images = embed(a.align, a.model, '--image', [folder], os.path.join(work, 'images.npy')).astype(np.float16).astype(np.float32)
        texts = embed(a.align, a.model, '--text', names, os.path.join(work, 'texts.npy'))
        scores, at = texts @ images.T, {f: k for k, f in enumerate(files)}
        found = np.zeros((len(names), TOP), int)
        for q, name in enumerate(names):
            lines = run(a.align, 'search', '--model', a.model, '--store', store, '--paths', '--top', str(TOP), '--text=' + name)
            found[q] = [at[f] for f in lines.splitlines()]
    brute = np.argsort(-scores, 1, kind='stable')[:, :TOP]
    taken = np.take_along_axis(scores, found, 1) - np.take_along_axis(scores, brute, 1)
    # A picture embedded among others differs in its last bits from the same one alone, and so may be rounded to the next f16 in one of its numbers.
    tie = float(np.spacing(np.abs(images).max().astype(np.float16)) * np.abs(texts).max())
    right = np.arange(len(names))[:, None]
    recalls = [[round(100 * float((r == right)[:, :k].any(1).mean()), 1) for k in (1, 5, 10)] for r in (found, brute)]
    for who, r in zip(('align search', 'NumPy'), recalls):
        print('%-13s recall@1/5/10 of %d names: %s' % (who, len(names), ' / '.join('%.1f' % v for v in r)))
    print('%d of %d lists of ten are the same; where they differ, scores do by at most %.1e, and one step of f16 is worth %.1e'
          % ((found == brute).all(1).sum(), len(names), np.abs(taken).max(), tie))
    return 0 if recalls[0] == recalls[1] and np.abs(taken).max() <= tie else 1


sys.exit(main())
