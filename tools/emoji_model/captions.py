"""The training texts of every concept, and what the teacher (all-MiniLM-L6-v2) makes of them -> out/captions.pt."""
import os
import random
import time

import torch

from common import OUT, TEACHER, load_concepts, queries, split, templates, words

EACH = 48                                        # texts a concept


def atoms(c):
    """Everything that is true of a concept, as texts; a caption made of true atoms only is right for the concept."""
    a = {c['name'], *c['short'], *c['keys'], *c['kinds'], *c['facts']}
    if c['gloss']:
        a.add(c['gloss'])
    if c['colour']:
        a.add('colour ' + c['colour'])
    return a


def with_article(s):
    return ('an ' if s[0] in 'aeiou' else 'a ') + s


KINDS = dict(name=.36, key=.22, two=.12, kind=.10, gloss=.05, fact=.09, tint=.06)


def caption(c, kind, rng):
    """One text of a kind, and the atoms it claims; None where the concept has nothing of the kind."""
    names, keys, kinds, tint = [c['name']] + c['short'], c['keys'], c['kinds'][:8], c['colour']
    dress = lambda s, p: rng.choice(templates()).format(s) if rng.random() < p else s
    if kind == 'name':
        s = c['name'] if rng.random() < .75 else rng.choice(names)
        return dress(s, .6), (s,)
    if kind == 'key' and keys:
        k = rng.choice(keys)
        return dress(k, .4), (k,)
    if kind == 'two' and keys:
        a, b = rng.choice(names + keys), rng.choice(keys)
        return rng.choice(['{} {}', '{}, {}', '{} and {}']).format(a, b), (a, b)
    if kind == 'kind' and kinds:
        k = rng.choice(kinds)
        return rng.choice([k, with_article(k), 'a kind of ' + k]), (k,)
    if kind == 'gloss' and c['gloss']:
        return c['gloss'], (c['gloss'],)
    if kind == 'fact' and c['facts']:
        k = rng.choice(c['facts'])
        return rng.choice([k, k, with_article(k), 'a picture of ' + k]), (k,)
    if kind == 'tint' and tint and not c['sub'].startswith(('cat face', 'monkey face')):
        k = rng.choice(keys + kinds[:5] + [c['name']] * 3)
        return rng.choice(['{} {}', 'a {} {}', '{} {}']).format(tint, k), ('colour ' + tint, k)
    return None


def captions(c, rng):
    """EACH texts of a concept, the first being its bare name."""
    out = [(c['name'], (c['name'],))]
    while len(out) < EACH:
        made = caption(c, rng.choices(list(KINDS), list(KINDS.values()))[0], rng)
        if made:
            out.append(made)
    return out


def right(all_atoms, captions_atoms):
    """bool [captions, concepts]: which concepts a caption is true of."""
    ids = {}
    for s in all_atoms:
        for a in s:
            ids.setdefault(a, len(ids))
    has = torch.zeros(len(all_atoms), len(ids), dtype=torch.bool)
    for i, s in enumerate(all_atoms):
        has[i, [ids[a] for a in s]] = True
    return torch.stack([has[:, [ids[a] for a in t]].all(1) for t in captions_atoms])


class Teacher:
    """all-MiniLM-L6-v2 as its card uses it: mean over tokens, normalised."""

    def __init__(self):
        from transformers import BertModel, BertTokenizerFast
        self.tok = BertTokenizerFast(vocab_file=os.path.join(TEACHER, 'vocab.txt'), do_lower_case=True)
        self.bert = BertModel.from_pretrained(TEACHER).eval()

    @torch.no_grad()
    def __call__(self, texts, batch=256):
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        out, t0 = torch.empty(len(texts), 384, dtype=torch.float16), time.time()
        for k in range(0, len(order), batch):
            part = order[k:k + batch]
            e = self.tok([texts[i] for i in part], padding=True, truncation=True, max_length=40, return_tensors='pt')
            with torch.autocast('cpu', torch.bfloat16):
                h = self.bert(**e).last_hidden_state.float()
            m = e['attention_mask'][..., None].float()
            out[part] = torch.nn.functional.normalize((h * m).sum(1) / m.sum(1), dim=1).half()
            if k // batch % 100 == 99:
                print('teacher', k + batch, 'of', len(texts), '%.0f s' % (time.time() - t0), flush=True)
        return out


def main():
    torch.set_num_threads(1)
    concepts = load_concepts()
    train, held = split(concepts)
    rng, per = random.Random(1), []
    for c in concepts:
        per.append(captions(c, rng))
    flat = [x for p in per for x in p]
    A = [atoms(c) for c in concepts]
    truth = right(A, [t for _, t in flat])
    truth[torch.arange(len(flat)), torch.arange(len(flat)) // EACH] = True
    feats = Teacher()([s for s, _ in flat])
    # Words a training text has; what a query holds beyond these is "unseen".
    seen = {w for i in train for s in A[i] for w in words(s)} | {w for t in templates() for w in words(t)}
    trained = {s for i in train for s, _ in per[i]} | {s for i in train for s in A[i]}
    torch.save(dict(text=[s for s, _ in flat], truth=truth, feats=feats, seen=sorted(seen), trained=sorted(trained)), os.path.join(OUT, 'captions.pt'))
    q = queries(concepts)
    new = [s for s, _ in q if any(w not in seen for w in words(s))]
    print(len(flat), 'texts,', len(set(s for s, _ in flat)), 'distinct;', len(new), 'of', len(q), 'queries hold an unseen word:', new)
    print('queries that are training texts:', [s for s, _ in q if s in trained])
    print(per[400][:12], per[900][:12])


if __name__ == '__main__':
    main()
