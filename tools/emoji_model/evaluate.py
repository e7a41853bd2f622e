"""The figures of the model card: of a saved folder, through the reference's AlignProcessor and AlignModel -> out/figures.json and a table."""
import os

import numpy as np
import torch

from common import OUT, load_concepts, queries, rank_of, split, words


def measure(concepts, name_emb, image_emb, has, query_emb, seen, trained):
    """All figures of one vendor. image_emb [concepts, d] (rows without a picture unused), name_emb [concepts, d]."""
    train, held = split(concepts)
    S = image_emb @ name_emb.T
    ix = [i for i in range(len(concepts)) if has[i]]
    tr, he = [i for i in train if has[i]], [i for i in held if has[i]]
    at = {i: k for k, i in enumerate(ix)}
    out = {'image to name, all': rank_of(S[ix], np.array(ix)),
           'name to image, all': rank_of(S[ix].T[ix], np.array([at[i] for i in ix])),
           'image to name, trained': rank_of(S[tr], np.array(tr)),
           'name to image, trained': rank_of(S[ix].T[tr], np.array([at[i] for i in tr])),
           'new: image to name of 150': rank_of(S[he][:, he], np.arange(len(he))),
           'new: name to image of 150': rank_of(S[he][:, he].T, np.arange(len(he))),
           'new: image to name of all': rank_of(S[he], np.array(he)),
           'new: name to image of all': rank_of(S[ix].T[he], np.array([at[i] for i in he]))}
    top = np.argsort(-(query_emb @ image_emb[ix].T), 1)[:, :5]
    for (q, ok), t in zip(queries(concepts), top):
        hit = [ix[k] in ok for k in t]
        new = any(w not in seen for w in words(q))
        for group in ('queries, all', 'queries, unseen words' if new else 'queries, seen words'):
            out.setdefault(group, []).append((hit[0], any(hit), np.mean(hit)))
        if q in trained:
            out.setdefault('queries, training texts', []).append((hit[0], any(hit), np.mean(hit)))
    for k in list(out):
        if k.startswith('queries'):
            out[k] = [round(100 * float(v), 1) for v in np.mean(out[k], 0)] + [len(out[k])]
    return out


def natural(vendor, concepts):
    """Each concept's drawing as a user would have it, opaque on white: Noto's PNG of 64 px, OpenMoji's SVG drawn at 144 px."""
    import io
    import resvg_py
    from PIL import Image
    from common import SRC
    from prepare import norm
    folder = dict(noto='emoji-datasource-google/img/google/64', twemoji='emoji-datasource-twitter/img/twitter/64', openmoji='openmoji/color/svg')[vendor]
    files = {norm(f[:-4]): os.path.join(SRC, folder, f) for f in os.listdir(os.path.join(SRC, folder))}
    for c in concepts:
        f = files.get(c['code'])
        if f is None:
            yield None
            continue
        im = Image.open(io.BytesIO(bytes(resvg_py.svg_to_bytes(svg_path=f, width=144))) if f.endswith('.svg') else f).convert('RGBA')
        white = Image.new('RGBA', im.size, 'white')
        white.alpha_composite(im)
        yield white.convert('RGB')


class Folder:
    """A saved model, used through the reference's own classes."""

    def __init__(self, folder):
        from transformers import AlignModel, AlignProcessor
        self.m, self.p = AlignModel.from_pretrained(folder).eval(), AlignProcessor.from_pretrained(folder)

    @torch.no_grad()
    def images(self, pictures):
        z = [self.m.get_image_features(**self.p(images=pictures[k:k + 128], return_tensors='pt')) for k in range(0, len(pictures), 128)]
        return torch.nn.functional.normalize(torch.cat(z), dim=1).numpy()

    @torch.no_grad()
    def texts(self, texts):
        z = [self.m.get_text_features(**self.p(text=texts[k:k + 256], padding=True, truncation=True, return_tensors='pt')) for k in range(0, len(texts), 256)]
        return torch.nn.functional.normalize(torch.cat(z), dim=1).numpy()


def main():
    import argparse
    import json
    ap = argparse.ArgumentParser()
    ap.add_argument('--model', default='models/emoji')
    ap.add_argument('--vendors', default='openmoji,noto')
    ap.add_argument('--ask', default='a red fruit;a sad face;an animal that swims;something to drink;a vehicle;the weather is bad;a musical instrument')
    a = ap.parse_args()
    torch.set_num_threads(1)
    concepts = load_concepts()
    C = torch.load(os.path.join(OUT, 'captions.pt'))
    model = Folder(a.model)
    names, asked, results = model.texts([c['name'] for c in concepts]), model.texts([q for q, _ in queries(concepts)]), {}
    _, held = split(concepts)
    for v in a.vendors.split(','):
        pics = list(natural(v, concepts))
        has = [p is not None for p in pics]
        z = np.zeros((len(concepts), names.shape[1]), np.float32)
        z[np.array(has)] = model.images([p for p in pics if p is not None])
        results[v] = measure(concepts, names, z, has, asked, set(C['seen']), set(C['trained']))
        print('\n%s, per cent: first / among 5 / among 10 (queries: first right / a right one among 5 / share of right ones among 5 / how many queries)' % v)
        for k, r in results[v].items():
            print('  %-28s %s' % (k, ' / '.join(str(x) for x in r)))
        for q in a.ask.split(';'):
            top = np.argsort(-(z @ model.texts([q])[0]))[:5]
            print('  "%s": %s' % (q, ', '.join(concepts[i]['name'] + ('*' if i in held else '') for i in top)))
    json.dump(results, open(os.path.join(OUT, 'figures.json'), 'w'), indent=1)


if __name__ == '__main__':
    main()
