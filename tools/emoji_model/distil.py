"""Teaches a small BERT (3 layers of 192, its own vocabulary) the teacher's sentence vectors -> out/text.pt.
python distil.py --teach first lets the teacher read the corpus (out/teacher.pt); python distil.py --minutes 20 learns from it.

The student's CLS state h is to give the teacher's vector e by one linear map, e = H h + c. The image tower is trained against
P e + b meanwhile, so that the finished model's text_projection is simply P H."""
import argparse
import json
import math
import os
import random
import time

import torch
import torch.nn.functional as F
from transformers import AlignTextModel, BertTokenizerFast

from captions import Teacher
from common import OUT
from model import config


def student(vocab):
    return AlignTextModel(config(vocab).text_config), torch.nn.Linear(192, 384)


def tokenizer():
    return BertTokenizerFast(vocab_file=os.path.join(OUT, 'vocab.txt'), do_lower_case=True, model_max_length=64)


def encode(tok, texts, longest=24):
    """[(ids)] as one int16 table and lengths."""
    ids = [t[:longest - 1] + [3] if len(t) > longest else t for t in tok(texts)['input_ids']]
    n = torch.tensor([len(t) for t in ids])
    table = torch.zeros(len(ids), longest, dtype=torch.int16)
    for i, t in enumerate(ids):
        table[i, :len(t)] = torch.tensor(t, dtype=torch.int16)
    return table, n


def cls(bert, table, n):
    k = int(n.max())
    ids = table[:, :k].long()
    return bert(input_ids=ids, attention_mask=(torch.arange(k)[None] < n[:, None]).long()).last_hidden_state[:, 0]


def first_embeddings(bert, vocab, mu):
    """Every entry starts as the main directions of what the teacher makes of it alone: sentence meaning is then nearly a sum."""
    e = Teacher()([v.replace('##', '') for v in vocab]).float() - mu
    _, _, V = torch.linalg.svd(e[::3], full_matrices=False)
    x = e @ V[:192].T
    with torch.no_grad():
        bert.embeddings.word_embeddings.weight.copy_(x / x.std() * .1)


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument('--teach', action='store_true')
    ap.add_argument('--minutes', type=float, default=20)
    ap.add_argument('--batch', type=int, default=256)
    ap.add_argument('--lr', type=float, default=1.5e-3)
    ap.add_argument('--resume', action='store_true')
    a = ap.parse_args()
    torch.set_num_threads(1)
    corpus = json.load(open(os.path.join(OUT, 'corpus.json')))
    texts = corpus['captions'] + corpus['general']
    file = os.path.join(OUT, 'teacher.pt')
    if a.teach:
        torch.save(Teacher()(texts), file)
        return
    torch.manual_seed(0)
    rng = random.Random(0)
    E = torch.load(file).float()
    n_caps = len(corpus['captions'])
    mu = E[:n_caps].mean(0)
    Y = F.normalize(E - mu, dim=1)
    tok = tokenizer()
    table, n = encode(tok, texts)
    vocab = [v for v, _ in sorted(tok.vocab.items(), key=lambda x: x[1])]
    bert, H = student(len(vocab))
    for mod in bert.modules():                   # nothing to overfit here
        if isinstance(mod, torch.nn.Dropout):
            mod.p = 0.
    if a.resume:
        s = torch.load(os.path.join(OUT, 'text.pt'))
        bert.load_state_dict(s['bert']), H.load_state_dict(s['H'])
    else:
        first_embeddings(bert, vocab, mu)
    # Held-out texts to watch; batches of similar length, half drawings' texts, half general ones.
    watch = torch.tensor(rng.sample(range(n_caps, len(texts)), 1500))
    hidden = set(watch.tolist())
    pools = [list(range(n_caps)), [i for i in range(n_caps, len(texts)) if i not in hidden]]
    ps = list(bert.parameters()) + list(H.parameters())
    opt = torch.optim.AdamW(ps, lr=a.lr, weight_decay=.01, betas=(.9, .98), foreach=True)
    print('parameters', sum(p.numel() for p in bert.parameters()), 'texts', len(texts), flush=True)
    t0, step, log, ready = time.time(), 0, [], []
    bert.train()
    while True:
        f = (time.time() - t0) / 60 / a.minutes
        if f >= 1:
            break
        if not ready:                            # 16 batches at a time, sorted by length within
            big = rng.sample(pools[0], 4 * a.batch) + rng.sample(pools[1], 12 * a.batch)
            big.sort(key=lambda i: (int(n[i]), rng.random()))
            ready = [torch.tensor(big[k:k + a.batch]) for k in range(0, len(big), a.batch)]
            rng.shuffle(ready)
        b = ready.pop()
        for gr in opt.param_groups:
            gr['lr'] = a.lr * min(1, (step + 1) / 100) * (.02 + .98 * .5 * (1 + math.cos(math.pi * f)))
        e = H(cls(bert, table[b], n[b]))         # the centred teacher vector, wanted
        z, y = F.normalize(e, dim=1), Y[b]
        loss = (1 - (z * y).sum(1)).mean() + .1 * F.cross_entropy(z @ y.T / .05, (y @ y.T / .05).softmax(1)) + .5 * ((e - (E[b] - mu)) ** 2).sum(1).mean()
        opt.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(ps, 2.)
        opt.step()
        step += 1
        log.append((z * y).sum(1).mean().item())
        if step % 200 == 0:
            bert.eval()
            with torch.no_grad():
                w = (F.normalize(H(torch.cat([cls(bert, table[w], n[w]) for w in watch.split(250)])), dim=1) * Y[watch]).sum(1).mean().item()
            bert.train()
            print(step, '%.0f s' % (time.time() - t0), 'cosine to the teacher %.3f, on held-out texts %.3f' % (sum(log[-100:]) / len(log[-100:]), w), flush=True)
    torch.save(dict(bert=bert.state_dict(), H=H.state_dict(), mu=mu, step=step), os.path.join(OUT, 'text.pt'))


if __name__ == '__main__':
    main()
