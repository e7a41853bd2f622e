"""Turns the teacher, all-MiniLM-L6-v2, into this model's text tower -> out/text.pt. ALIGN reads a text off its first token, where the teacher takes
the mean over tokens; and the model that ships may be no larger than 30 MB. So the tower begins as the teacher without its third layer (the one
it misses least) and with the rows of the vocabulary that vocab.py chose, and learns to say at the first token what the teacher says.
python distil.py --teach first lets the teacher read the corpus (out/teacher.pt); python distil.py --minutes 30 learns from it.

One linear map H takes the first token's state h to the teacher's vector, e = H h + c: start.py puts it into text_projection."""
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
from common import OUT, TEACHER
from model import LAYERS, config

LEFT_OUT = 2                                     # of the teacher's layers


def tokenizer():
    return BertTokenizerFast(vocab_file=os.path.join(OUT, 'vocab.txt'), do_lower_case=True, model_max_length=64)


def student(vocab):
    """The teacher's weights in the reference's AlignTextModel, and H."""
    from safetensors.torch import load_file
    known = {v.rstrip('\n'): i for i, v in enumerate(open(os.path.join(TEACHER, 'vocab.txt'), encoding='utf8'))}
    state = {k.removeprefix('bert.'): v for k, v in load_file(os.path.join(TEACHER, 'model.safetensors')).items()}
    kept = [i for i in range(LAYERS + 1) if i != LEFT_OUT]
    bert, own = AlignTextModel(config(len(vocab)).text_config), {}
    for key in bert.state_dict():
        source = key
        if key.startswith('encoder.layer.'):
            part = key.split('.')
            source = '.'.join(part[:2] + [str(kept[int(part[2])])] + part[3:])
        own[key] = state[source]
    own['embeddings.word_embeddings.weight'] = own['embeddings.word_embeddings.weight'][[known[v] for v in vocab]]
    own['embeddings.position_embeddings.weight'] = own['embeddings.position_embeddings.weight'][:64]
    bert.load_state_dict(own)
    H = torch.nn.Linear(384, 384)
    with torch.no_grad():
        H.weight.copy_(torch.eye(384))
        H.bias.zero_()
    return bert, H


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


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument('--teach', action='store_true')
    ap.add_argument('--minutes', type=float, default=30)
    ap.add_argument('--batch', type=int, default=256)
    ap.add_argument('--lr', type=float, default=3e-4)
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
    Y = torch.load(file).float()
    n_caps = len(corpus['captions'])
    mu = Y[:n_caps].mean(0)
    tok = tokenizer()
    table, n = encode(tok, texts)
    vocab = [v for v, _ in sorted(tok.vocab.items(), key=lambda x: x[1])]
    bert, H = student(vocab)
    # Held-out texts to watch; batches of similar length, a quarter drawings' texts, the rest general ones.
    watch = torch.tensor(rng.sample(range(n_caps, len(texts)), 1500))
    hidden = set(watch.tolist())
    pools = [list(range(n_caps)), [i for i in range(n_caps, len(texts)) if i not in hidden]]
    ps = list(bert.parameters()) + list(H.parameters())
    opt = torch.optim.AdamW(ps, lr=a.lr, weight_decay=.01, betas=(.9, .98), foreach=True)
    print('parameters', sum(p.numel() for p in bert.parameters()), 'texts', len(texts), flush=True)

    def first(part):
        with torch.autocast('cpu', torch.bfloat16):
            return cls(bert, table[part], n[part]).float()

    def save():
        torch.save(dict(bert=bert.state_dict(), H=H.state_dict(), mu=mu, step=step), os.path.join(OUT, 'text.pt'))

    t0, step, log, ready = time.time(), 0, [], []
    while (f := (time.time() - t0) / 60 / a.minutes) < 1:
        if not ready:                            # 16 batches at a time, sorted by length within
            big = rng.sample(pools[0], 4 * a.batch) + rng.sample(pools[1], 12 * a.batch)
            big.sort(key=lambda i: (int(n[i]), rng.random()))
            ready = [torch.tensor(big[k:k + a.batch]) for k in range(0, len(big), a.batch)]
            rng.shuffle(ready)
        b = ready.pop()
        for gr in opt.param_groups:
            gr['lr'] = a.lr * min(1, (step + 1) / 100) * (.02 + .98 * .5 * (1 + math.cos(math.pi * f)))
        e, y = H(first(b)), Y[b]                 # the teacher's vectors are of length 1
        z, yc = F.normalize(e - mu, dim=1), F.normalize(y - mu, dim=1)
        agree = (z * yc).sum(1)
        loss = (1 - agree).mean() + .1 * F.cross_entropy(z @ yc.T / .05, (yc @ yc.T / .05).softmax(1)) + .5 * ((e - y) ** 2).sum(1).mean()
        opt.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(ps, 1.)
        opt.step()
        step += 1
        log.append(agree.mean().item())
        if step % 100 == 0:
            with torch.no_grad():
                w = (F.normalize(H(torch.cat([first(w) for w in watch.split(250)])) - mu, dim=1) * F.normalize(Y[watch] - mu, dim=1)).sum(1).mean().item()
            print(step, '%.0f s' % (time.time() - t0), 'cosine to the teacher %.3f, on held-out texts %.3f' % (sum(log[-100:]) / len(log[-100:]), w), flush=True)
            save()
    save()


if __name__ == '__main__':
    main()
