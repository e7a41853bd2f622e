"""Trains the image tower against the teacher's text vectors; the text tower (distil.py) learns the same vectors meanwhile.
python train.py --minutes 75 -> out/image.pt (checkpointed at every evaluation; the averaged weights)."""
import argparse
import math
import os
import random
import time

import numpy as np
import torch
import torch.nn.functional as F

from augment import COLOURS, NO_FLIP, augment
from captions import EACH
from common import OUT, SIDE, TRAIN_VENDORS, load_concepts, split
from evaluate import Bench
from model import build, image_embeds, size

VENDOR_WEIGHT = dict(noto=1, noto_tone=.4, twemoji=1, fluent=1, fluent_flat=.8, noto_v1=.8, fxemoji=1, emojione=1, streamline=1.8, fluent_mono=.4)


class Stream(torch.utils.data.IterableDataset):
    """Endless batches (pictures, concept numbers)."""

    def __init__(self, batch, seed, side):
        self.batch, self.seed, self.side = batch, seed, side

    def __iter__(self):
        torch.set_num_threads(1)
        concepts = load_concepts()
        train, _ = split(concepts)
        Z = np.load(os.path.join(OUT, 'pictures.npz'))
        P = {v: torch.from_numpy(Z[v]) for v in TRAIN_VENDORS}
        has = {v: Z['has_' + v] for v in TRAIN_VENDORS}
        styles = [[v for v in TRAIN_VENDORS if has[v][i]] for i in range(len(concepts))]
        # Families, clock faces and the gendered variants are many and alike: fewer of each.
        w = [.35 if c['sub'] == 'family' or 'thirty' in c['name'] or "o'clock" in c['name'] else .6 if c['name'].startswith(('man ', 'woman ')) else 1. for c in concepts]
        flip = torch.tensor([not NO_FLIP.search(c['name']) for c in concepts])
        col = torch.tensor([bool(COLOURS.search(c['name'])) for c in concepts])
        rng, g, order = random.Random(self.seed), torch.Generator().manual_seed(self.seed), []
        while True:
            while len(order) < self.batch:
                more = [i for i in train if rng.random() < w[i]]
                rng.shuffle(more)
                order = more + order
            b = [order.pop() for _ in range(self.batch)]
            vs = [rng.choices(styles[i], [VENDOR_WEIGHT[v] for v in styles[i]])[0] for i in b]
            x = torch.stack([P[v][i] for v, i in zip(vs, b)])
            b = torch.tensor(b)
            yield augment(x, flip[b], col[b], torch.tensor([v == 'fluent_mono' for v in vs]), g, self.side), b


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument('--minutes', type=float, default=75)
    ap.add_argument('--batch', type=int, default=128)
    ap.add_argument('--lr', type=float, default=2e-3)
    ap.add_argument('--end', type=float, default=.01, help='the last learning rate, as a part of the first')
    ap.add_argument('--every', type=float, default=8, help='minutes between evaluations')
    ap.add_argument('--out', default='image')
    ap.add_argument('--threads', type=int, default=1)
    ap.add_argument('--seed', type=int, default=0)
    ap.add_argument('--side', type=int, default=SIDE, help='picture size: most of the training may use smaller ones')
    ap.add_argument('--resume', default='', help='start from the weights of this earlier run')
    a = ap.parse_args()
    torch.set_num_threads(a.threads)
    torch.manual_seed(a.seed)
    concepts = load_concepts()
    train, _ = split(concepts)
    train_t = torch.tensor(train)
    C = torch.load(os.path.join(OUT, 'captions.pt'))
    X, truth = C['feats'].float(), C['truth']
    tr_caps = (train_t[:, None] * EACH + torch.arange(EACH)).flatten()
    mu = X[tr_caps].mean(0)
    # Text projection: starts as the 256 main directions of the training texts; the centring is in its bias.
    m = build(text=False)
    _, _, V = torch.linalg.svd(X[tr_caps][::3] - mu, full_matrices=False)
    with torch.no_grad():
        m.text_projection.weight.copy_(V[:256])
        m.text_projection.bias.copy_(-V[:256] @ mu)
    if a.resume:
        m.load_state_dict(torch.load(os.path.join(OUT, a.resume + '.pt'))['model'])
    bench = Bench(C, side=a.side)
    ema = build(text=False)
    ema.load_state_dict(m.state_dict())
    slow, fast = ([v for v in k.state_dict().values() if v.is_floating_point()] for k in (ema, m))
    dec = [p for n, p in m.vision_model.named_parameters() if p.ndim > 1]
    nod = [p for n, p in m.vision_model.named_parameters() if p.ndim <= 1]
    opt = torch.optim.AdamW([dict(params=dec, weight_decay=.05, k=1.), dict(params=nod, weight_decay=0, k=1.),
                             dict(params=list(m.text_projection.parameters()), weight_decay=0, k=.15), dict(params=[m.temperature], weight_decay=0, k=.3)],
                            lr=a.lr, betas=(.9, .98), foreach=True)
    feed = iter(torch.utils.data.DataLoader(Stream(a.batch, a.seed + 9, a.side), batch_size=None, num_workers=1, prefetch_factor=4))
    g = torch.Generator().manual_seed(a.seed)
    queue, queue_c = F.normalize(torch.randn(2048, 256, generator=g), dim=1), torch.full((2048,), -1)
    place = torch.full((len(concepts),), -1)
    place[train_t] = torch.arange(len(train))
    names = X[train_t * EACH]
    text = lambda x: F.normalize(m.text_projection(F.dropout(x, .1)), dim=1)
    saved = time.time()

    def save():
        torch.save(dict(model=ema.state_dict(), args=vars(a)), os.path.join(OUT, a.out + '.pt'))

    def measure():
        ema.eval()
        with torch.no_grad():
            bench.show(bench.run(lambda x: image_embeds(ema, x), lambda x: F.normalize(ema.text_projection(x), dim=1)))

    print(vars(a), 'vision parameters', size(m.vision_model), flush=True)
    t0, step, seen, log, due = time.time(), 0, 0, [], a.every
    while True:
        f = (time.time() - t0) / 60 / a.minutes
        if f >= 1:
            break
        for gr in opt.param_groups:
            gr['lr'] = a.lr * gr['k'] * min(1, (step + 1) / 100) * (a.end + (1 - a.end) * .5 * (1 + math.cos(math.pi * f)))
        x, b = next(feed)
        m.train()
        z = image_embeds(m, x)
        T = m.temperature
        # Image -> the names of all concepts, and -> one text drawn for each concept, other true texts left out.
        pick = train_t * EACH + torch.randint(EACH, (len(train),), generator=g)
        own = place[b]
        loss_n = F.cross_entropy(z @ text(names).T / T, own)
        tx = text(X[pick])
        also = truth[pick][:, b].T.clone()
        also[torch.arange(len(b)), own] = False
        loss_i = F.cross_entropy((z @ tx.T / T).masked_fill(also, -1e4), own)
        # Text -> images: this batch's and the last ones; every picture a text is true of counts as right.
        all_z, all_c = torch.cat([z, queue]), torch.cat([b, queue_c])
        ok = truth[pick[own]][:, all_c.clamp_min(0)] & (all_c >= 0)
        lp = F.log_softmax((tx[own] @ all_z.T / T).masked_fill((all_c < 0)[None], -1e4), 1)
        loss_t = -((lp * ok).sum(1) / ok.sum(1)).mean()
        loss = .35 * loss_n + .35 * loss_i + .3 * loss_t
        opt.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(m.parameters(), 2.)
        opt.step()
        with torch.no_grad():
            m.temperature.clamp_(.02, .07)
            queue, queue_c = torch.cat([z.detach(), queue])[:2048], torch.cat([b, queue_c])[:2048]
            d = min(.998, (1 + step) / (20 + step))
            torch._foreach_lerp_(slow, fast, 1 - d)
        step, seen = step + 1, seen + len(b)
        log.append((loss_n.item(), loss_i.item(), loss_t.item()))
        if step % 100 == 0:
            print(step, '%.0f s' % (time.time() - t0), 'loss name/text/retrieval %.3f %.3f %.3f' % tuple(np.mean(log[-100:], 0)), 'T %.3f' % m.temperature.item(),
                  '%.0f img/s' % (seen / (time.time() - t0)), flush=True)
        if time.time() - saved > 120:
            saved = time.time()
            save()
        if (time.time() - t0) / 60 >= due:
            due += a.every
            measure()
    save()
    measure()


if __name__ == '__main__':
    main()
