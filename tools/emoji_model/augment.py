"""Drawings as training sees them: moved, turned, recoloured, outlined, on some background."""
import re

import torch
import torch.nn.functional as F

from common import SIDE

NO_FLIP = re.compile("arrow|left|right|button|letter|input|symbol|keycap|number|question|clock|thirty|latin|copyright|registered|trade|sign|abcd|chart|banknote|calendar|100|hundred")
COLOURS = re.compile('red|blue|green|yellow|orange|purple|brown|black|white|pink|gr[ae]y|heart|circle|square|diamond|apple|rainbow')


def on_white(rgba, side=SIDE):
    """uint8 [n, h, w, 4] -> float [n, 3, side, side] in -1..1, as the processor gives for a drawing on white."""
    x = torch.from_numpy(rgba).permute(0, 3, 1, 2).float() / 255
    y = x[:, :3] * x[:, 3:] + 1 - x[:, 3:]
    if y.shape[-1] != side:
        y = F.interpolate(y, size=(side, side), mode='bilinear', antialias=True, align_corners=False)
    return y.clamp(0, 1) * 2 - 1


def bent(grid, strength, g):
    """A sampling grid bent smoothly: nobody draws the same shape twice."""
    n, side = grid.shape[:2]
    field = F.interpolate(torch.randn(n, 2, 5, 5, generator=g), size=(side, side), mode='bicubic', align_corners=True)
    return grid + field.permute(0, 2, 3, 1) * strength[:, None, None, None]


def augment(x, flip, keep_colour, mono, inked, g, side=SIDE):
    """x uint8 [n, h, w, 4]; flip, keep_colour, mono, inked (has dark lines already): bool [n]. Returns float [n, 3, side, side] in -1..1."""
    x = x.permute(0, 3, 1, 2).float() / 255
    n = len(x)
    rnd = lambda *s: torch.rand(n, *s, generator=g)
    uni = lambda a, b, *s: torch.empty(n, *s).uniform_(a, b, generator=g)
    a, x = x[:, 3:], x[:, :3]
    x = x.clamp(1e-3, 1) ** torch.exp(uni(-.35, .35, 1, 1, 1)) * uni(.8, 1.2, 1, 1, 1) * uni(.92, 1.08, 3, 1, 1)
    gray = ((rnd(1, 1, 1) < .12) & ~keep_colour[:, None, None, None]).float() * uni(.3, 1, 1, 1, 1)
    x = (x * (1 - gray) + x.mean(1, keepdim=True) * gray).clamp(0, 1)
    # Move, turn, scale, shear, mirror: alpha and premultiplied colour together.
    th, sx = uni(-.25, .25), torch.exp(uni(-.15, .42))
    th = torch.where(flip & (rnd() < .2), uni(-.9, .9), th)
    sy = sx * torch.exp(uni(-.15, .15))
    sx = sx * torch.where(flip & (rnd() < .5), -1., 1.)
    M = torch.zeros(n, 2, 3)
    M[:, 0, 0], M[:, 0, 1], M[:, 1, 0], M[:, 1, 1] = th.cos() * sx, -th.sin() * sy + uni(-.1, .1), th.sin() * sx, th.cos() * sy
    M[:, :, 2] = uni(-.14, .14, 2)
    grid = bent(F.affine_grid(M, (n, 4, side, side), align_corners=False), uni(0, .07), g)
    p = F.grid_sample(torch.cat([x * a, a], 1), grid, padding_mode='zeros', align_corners=False)
    c, a = p[:, :3].clone(), p[:, 3:].clone()
    # A dark line around the shape and along its inner edges, as many drawing styles have and Noto, Twemoji and Fluent have not.
    line = (rnd() < torch.where(inked, .1, .35)).nonzero()[:, 0]
    q = p[line]
    edge = (F.max_pool2d(q, 3, 1, 1) + F.max_pool2d(-q, 3, 1, 1)).amax(1, keepdim=True)
    c[line] = c[line] * (1 - (edge * 1.5).clamp(0, 1))
    a[line] = F.max_pool2d(a[line], 3, 1, 1)
    # Background: white, any colour, or what dropping alpha gives: the drawing's plain colour on black.
    kind = rnd(1, 1, 1)
    bg = torch.where(kind < .6, torch.ones(n, 3, 1, 1), torch.where(mono[:, None, None, None], uni(.7, 1, 3, 1, 1), uni(.2, 1, 3, 1, 1)))
    raw = (kind > .92) & ~mono[:, None, None, None]
    y = torch.where(raw, c / a.clamp_min(.05) * (a > .03), c + (1 - a) * bg).clamp(0, 1)
    soft = (rnd() < .15).nonzero()[:, 0]
    y[soft] = F.interpolate(F.avg_pool2d(y[soft], 2), scale_factor=2, mode='bilinear', align_corners=False)
    flat = (rnd() < .1).nonzero()[:, 0]
    y[flat] = (y[flat] * 4).round() / 4
    y = y + torch.randn(y.shape, generator=g) * .025
    return (y * 2 - 1).contiguous(memory_format=torch.channels_last)
