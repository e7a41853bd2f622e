"""Drawings in manners that no set of those we may train on is drawn in: the shapes of an SVG drawing with flat colours out of a small palette, with dark
lines around them, without colours, as a shadow. One drawing gives as many as one likes; a model that has seen a cat in all of them knows the next vendor's."""
import colorsys
import re
import xml.etree.ElementTree as ET

SVG, LINK = '{http://www.w3.org/2000/svg}', '{http://www.w3.org/1999/xlink}href'
SHAPES = {SVG + s for s in ('path', 'circle', 'ellipse', 'rect', 'polygon')}
ASIDE = {SVG + s for s in ('defs', 'clipPath', 'mask', 'filter', 'linearGradient', 'radialGradient', 'symbol')}
NAMED = dict(black='#000000', white='#ffffff', red='#ff0000', gray='#808080')
STEPS = dict(m=2, l=2, h=1, v=1, c=6, s=4, q=4, t=2, a=7)


def number(text, default=0.):
    found = re.match(r'-?[\d.]+(e-?\d+)?', text or '')
    return float(found.group()) if found else default


def ends(d):
    """The points that a path comes through."""
    x = y = x0 = y0 = 0.
    for kind, rest in re.findall('([a-zA-Z])([^a-zA-Z]*)', re.sub(r'[eE]-\d+', '', d)):
        k, n = kind.lower(), STEPS.get(kind.lower(), 2)
        if k == 'a':                              # its flags may be written without a space between
            rest = re.sub(r'(-?[\d.]+[ ,]*-?(?:\d*\.\d+|\d+)[ ,]*-?[\d.]+)[ ,]+([01])[ ,]*([01])', r'\1 \2 \3 ', rest)
        v = [float(f) for f in re.findall(r'-?(?:\d*\.\d+|\d+)', rest)]
        if k == 'z':
            x, y = x0, y0
            continue
        for i in range(0, len(v) - n + 1, n):
            p = v[i:i + n]
            bx, by = (x, y) if kind.islower() else (0., 0.)
            x, y = (bx + p[0] if k == 'h' else x if k == 'v' else bx + p[-2]), (by + p[0] if k == 'v' else y if k == 'h' else by + p[-1])
            if k == 'm' and i == 0:
                x0, y0 = x, y
            yield x, y


def extent(e):
    """Width and height of a shape, roughly."""
    at, kind = e.attrib, e.tag[len(SVG):]
    if kind == 'circle':
        return (2 * number(at.get('r')),) * 2
    if kind == 'ellipse':
        return 2 * number(at.get('rx')), 2 * number(at.get('ry'))
    if kind == 'rect':
        return number(at.get('width')), number(at.get('height'))
    p = list(ends(at.get('d') or 'M' + at.get('points', '')))
    xs, ys = [x for x, _ in p] or [0.], [y for _, y in p] or [0.]
    return max(xs) - min(xs), max(ys) - min(ys)


def rgb(text):
    text = NAMED.get(text, text)
    if re.fullmatch('#[0-9a-fA-F]{3}', text):
        text = '#' + ''.join(2 * c for c in text[1:])
    return tuple(int(text[i:i + 2], 16) / 255 for i in (1, 3, 5)) if re.fullmatch('#[0-9a-fA-F]{6}', text) else None


def css(c):
    return '#%02x%02x%02x' % tuple(round(255 * min(1, max(0, v))) for v in c)


def gradients(root):
    """The mean colour of every gradient, and how much of it is seen."""
    of, heir = {}, {}
    for e in root.iter():
        if e.tag in (SVG + 'linearGradient', SVG + 'radialGradient'):
            stops = [(rgb(s.get('stop-color', 'black')) or (0, 0, 0), number(s.get('stop-opacity'), 1.)) for s in e.iter(SVG + 'stop')]
            seen = sum(o for _, o in stops)
            if stops:
                of[e.get('id')] = (tuple(sum(c[k] * o for c, o in stops) / max(seen, 1e-6) for k in range(3)), seen / len(stops))
            elif e.get(LINK) or e.get('href'):
                heir[e.get('id')] = (e.get(LINK) or e.get('href'))[1:]
    return {**of, **{k: of[v] for k, v in heir.items() if v in of}}


class Manner:
    """How one picture is drawn: everything about it that is not the drawing."""

    def __init__(self, rng, keep_colour, sign):
        u = rng.uniform
        self.rng = rng
        self.art = rng.choices(['colour', 'one', 'some', 'line', 'shadow'], [.72, .07, .08, .1, .03] if not keep_colour else [1, 0, 0, 0, 0])[0]
        self.bare = sign and not keep_colour and rng.random() < .4      # a sign without its plate
        self.width = u(.012, .042) if self.art in ('line', 'some') or rng.random() < .8 else 0.
        self.ink = rng.choice([(0., 0., 0.), (0., 0., 0.), (u(0, .25), u(0, .2), u(0, .3))])
        self.own_ink = rng.random() < .15         # lines in a darker shade of what they surround
        self.least = u(.004, .04)                 # share of the picture that a shape must have to get a line
        self.merge = self.art not in ('line', 'some') and rng.random() < .6     # shades of what is below them get no line
        self.flat = rng.random() < .3             # ... and are not drawn at all
        self.drop = u(0, .06)                     # of small parts, how many are left out
        self.levels = 0 if keep_colour else rng.choice([0, 2, 3, 4])    # of saturation and brightness; 0: as they were
        self.turn, self.saturation, self.light = (0., 1., 1.) if keep_colour else (u(-.03, .03), u(.75, 1.5), u(.85, 1.2))
        self.one = None
        self.paper = rng.choice([(1, 1, 1), (1, 1, 1), (u(.85, 1), u(.85, 1), u(.85, 1))])

    def colour(self, c):
        if self.art == 'one' and .35 < max(c) and min(c) < .8:
            self.one = c = self.one or c
        h, s, v = colorsys.rgb_to_hsv(*c)
        s, v = min(1, s * self.saturation), min(1, v * self.light)
        if self.levels:
            s, v = round(s * self.levels) / self.levels, max(.12, round(v * self.levels) / self.levels)
            h = round(h * 15) / 15 if self.levels < 4 else h
        return colorsys.hsv_to_rgb((h + self.turn) % 1, s, v)


def alike(a, b):
    ha, sa, va = colorsys.rgb_to_hsv(*a)
    hb, sb, vb = colorsys.rgb_to_hsv(*b)
    turn = min(abs(ha - hb), 1 - abs(ha - hb))
    return abs(va - vb) < .3 and abs(sa - sb) < .4 and (turn < .07 or max(sa, sb) < .15)


def restyle(text, rng, keep_colour=False, sign=False):
    """An SVG drawing as another hand would draw it. keep_colour: where the name is about colours; sign: a symbol, perhaps on a plate."""
    root = ET.fromstring(text)
    side = [float(v) for v in root.get('viewBox').split()][2:]
    of, how, below = gradients(root), Manner(rng, keep_colour, sign), []

    def paint(value):
        if value.startswith('url('):
            return of.get(value[5:value.index(')')], (None, 1.))
        return rgb(value), 1.

    def draw(e, fill):
        w, h = extent(e)
        share = w * h / (side[0] * side[1])
        e.set('fill', fill)
        c, seen = paint(fill)
        if how.art == 'shadow':
            c = how.ink if c else None
        if not c:
            if e.get('stroke') and rgb(e.get('stroke')):
                e.set('stroke', css(how.ink if how.art in ('line', 'some') else how.colour(rgb(e.get('stroke')))))
            return
        if how.bare and share > .55:
            e.set('fill', 'none')
            return
        if how.bare and min(c) > .75:
            c = how.ink
        seen *= number(e.get('opacity'), 1.) * number(e.get('fill-opacity'), 1.)
        shade = how.merge and any(alike(c, b) for b in below[-4:])
        dark = max(c) < .35
        if seen < .35 or (not dark and ((share < .03 and rng.random() < how.drop) or (shade and how.flat and share < .2))):
            e.set('fill', 'none')
            return
        if seen > .6:
            for k in ('opacity', 'fill-opacity'):
                e.attrib.pop(k, None)
        if share > .01:
            below.append(c)
        white = not dark and (how.art == 'line' or (how.art == 'some' and rng.random() < .5))
        paper = how.art == 'shadow' or dark
        e.set('fill', css(how.paper if white else c if how.art == 'shadow' else how.colour(c)))
        if how.width and share > how.least and not shade and how.art != 'shadow':
            e.set('stroke', css(tuple(v * .45 for v in c) if how.own_ink else how.colour(c) if paper else how.ink))
            e.set('stroke-width', '%.3f' % (how.width * side[0]))
            e.set('stroke-linejoin', 'round')

    def walk(e, fill):
        for k in e:
            own = k.get('fill', fill)
            if k.tag in SHAPES:
                draw(k, own)
            elif k.tag not in ASIDE:
                k.attrib.pop('filter', None)
                walk(k, own)

    walk(root, root.get('fill', '#000000'))
    margin = .5 * how.width * side[0]             # lines stick out
    x, y, w, h = (float(v) for v in root.get('viewBox').split())
    root.set('viewBox', '%g %g %g %g' % (x - margin, y - margin, w + 2 * margin, h + 2 * margin))
    return ET.tostring(root, encoding='unicode')
