"""Joins the towers and writes the Hugging Face folder. Before that the text tower learns for a few minutes in the image
tower's space: to agree with the teacher there, and to find the training drawings.
python export.py --minutes 6 --to models/emoji"""
import argparse
import json
import math
import os
import random
import time

import numpy as np
import torch
import torch.nn.functional as F
from transformers import AlignModel, AlignProcessor, EfficientNetImageProcessor

from augment import on_white
from common import OUT, SIDE, TRAIN_VENDORS, load_concepts, split
from distil import cls, encode, tokenizer
from model import build, config, image_embeds


def drawings(m, train):
    """Embeddings of every training drawing on white, and the concept of each."""
    Z = np.load(os.path.join(OUT, 'pictures.npz'))
    z, c = [], []
    for v in TRAIN_VENDORS:
        if v != 'fluent_mono':
            ix = [i for i in train if Z['has_' + v][i]]
            P = Z[v]
            z += [image_embeds(m, on_white(P[ix[k:k + 256]])) for k in range(0, len(ix), 256)]
            c += ix
    return torch.cat(z), torch.tensor(c)


@torch.no_grad()
def calibrate(m, tok, concepts, train, held):
    """The temperature at which probabilities are most nearly right for known and unknown concepts alike: Noto, Twemoji and
    Fluent drawings of the 150 held-out concepts and of 150 trained ones, each kind against its own 150 names."""
    Z, lp = np.load(os.path.join(OUT, 'pictures.npz')), []
    for ix in (held, random.Random(3).sample(train, 150)):
        table, n = encode(tok, [concepts[i]['name'] for i in ix])
        t = F.normalize(m.text_projection(cls(m.text_model, table, n)), dim=1)
        lp += [image_embeds(m, on_white(Z[v][ix])) @ t.T for v in ('noto', 'twemoji', 'fluent')]
    wrong = {T: sum(F.cross_entropy(s / T, torch.arange(150)).item() for s in lp) for T in np.arange(.02, .1, .002)}
    T = float(min(wrong, key=wrong.get))
    print('temperature %.3f as learned, %.3f calibrated' % (m.temperature.item(), T))
    m.temperature.fill_(T)
    m.config.temperature_init_value = round(T, 3)


def save(m, tok, folder):
    for f in os.listdir(folder) if os.path.isdir(folder) else []:
        if f != 'README.md':
            os.remove(os.path.join(folder, f))
    pictures = EfficientNetImageProcessor(do_resize=True, size=dict(height=SIDE, width=SIDE), resample=2, do_center_crop=False, crop_size=dict(height=SIDE, width=SIDE),
                                          do_rescale=True, rescale_factor=1 / 127.5, rescale_offset=True, do_normalize=False, include_top=False)
    AlignProcessor(pictures, tok).save_pretrained(folder)
    tok.save_vocabulary(folder)
    m = m.half().to(memory_format=torch.contiguous_format)
    m.config._name_or_path = ''
    m.save_pretrained(folder)
    print({f: os.path.getsize(os.path.join(folder, f)) for f in sorted(os.listdir(folder))})


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument('--minutes', type=float, default=6)
    ap.add_argument('--image', default='image')
    ap.add_argument('--to', default='models/emoji')
    ap.add_argument('--threads', type=int, default=1)
    a = ap.parse_args()
    torch.set_num_threads(a.threads)
    torch.manual_seed(0)
    rng = random.Random(0)
    concepts = load_concepts()
    train, held = split(concepts)
    I = build(text=False).eval()
    I.load_state_dict(torch.load(os.path.join(OUT, a.image + '.pt'))['model'])
    S = torch.load(os.path.join(OUT, 'text.pt'))
    tok = tokenizer()
    m = AlignModel(config(len(tok)))
    m.vision_model.load_state_dict(I.vision_model.state_dict())
    m.text_model.load_state_dict(S['bert'])
    P, b = I.text_projection.weight, I.text_projection.bias
    with torch.no_grad():                        # P e + b with e = H h + c + mu
        m.text_projection.weight.copy_(P @ S['H']['weight'])
        m.text_projection.bias.copy_(P @ (S['H']['bias'] + S['mu']) + b)
        m.temperature.copy_(I.temperature)
    m.eval()
    if a.minutes > 0:
        corpus = json.load(open(os.path.join(OUT, 'corpus.json')))
        texts = corpus['captions'] + corpus['general']
        n_caps = len(corpus['captions'])
        C = torch.load(os.path.join(OUT, 'captions.pt'))
        place = {s: i for i, s in enumerate(C['text'])}
        own = [i for i in range(n_caps) if texts[i] in place]
        table, n = encode(tok, texts)
        with torch.no_grad():
            Y = F.normalize(torch.load(os.path.join(OUT, 'teacher.pt')).float() @ P.T + b, dim=1)
            z, zc = drawings(I, train)
        for p in m.vision_model.parameters():
            p.requires_grad_(False)
        ps = list(m.text_model.parameters()) + list(m.text_projection.parameters())
        lr, T = 4e-4, float(m.temperature)
        opt = torch.optim.AdamW(ps, lr=lr, weight_decay=.01, betas=(.9, .98), foreach=True)
        m.text_model.train()
        t0, step, log = time.time(), 0, []
        while (f := (time.time() - t0) / 60 / a.minutes) < 1:
            for gr in opt.param_groups:
                gr['lr'] = lr * min(1, (step + 1) / 30) * (.02 + .98 * .5 * (1 + math.cos(math.pi * f)))
            i = torch.tensor(rng.sample(own, 64) + [rng.randrange(n_caps, len(texts)) for _ in range(192)])
            e = F.normalize(m.text_projection(cls(m.text_model, table[i], n[i])), dim=1)
            agree = (e * Y[i]).sum(1)
            pick = torch.randint(len(z), (3000,))
            ok = C['truth'][[place[texts[k]] for k in i[:64].tolist()]][:, zc[pick]]
            some = ok.any(1)
            lp = F.log_softmax(e[:64] @ z[pick].T / T, 1)
            find = -((lp * ok).sum(1) / ok.sum(1).clamp_min(1))[some].mean()
            alike = F.cross_entropy(e @ Y[i].T / .05, (Y[i] @ Y[i].T / .05).softmax(1))
            loss = (1 - agree).mean() + .1 * alike + .15 * find
            opt.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(ps, 2.)
            opt.step()
            step += 1
            log.append((agree[:64].mean().item(), agree[64:].mean().item(), find.item()))
            if step % 50 == 0:
                print(step, '%.0f s' % (time.time() - t0), 'agreement on captions, on general texts; retrieval: %.3f %.3f %.3f' % tuple(np.mean(log[-50:], 0)), flush=True)
    m.eval()
    calibrate(m, tok, concepts, train, held)
    save(m, tok, a.to)


if __name__ == '__main__':
    main()
