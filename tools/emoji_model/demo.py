"""Writes the demo set, models/demo: opaque RGB drawings on white in several formats, labels.txt, pictures.tsv.
python demo.py --to models/demo [--show models/emoji: what the model says of them]"""
import argparse
import os

import numpy as np
from PIL import Image

from common import SRC, load_concepts, split
from prepare import norm

# label, name of the drawing, style, format
SET = [l.split(' | ') for l in '''apple | red apple | noto | png
green apple | green apple | twemoji | png
strawberry | strawberry | fluent | png
cherries | cherries | twemoji | jpg
banana | banana | noto | jpg
pineapple | pineapple | twemoji | png
watermelon | watermelon | noto | png
tomato | tomato | twemoji | png
pizza | pizza | fluent | jpg
burrito | burrito | noto | png
spaghetti | spaghetti | twemoji | png
croissant | croissant | noto | webp
bagel | bagel | noto | png
ice cream | soft ice cream | twemoji | gif
beer mug | beer mug | noto | png
cup of coffee | hot beverage | twemoji | png
wine glass | wine glass | fluent | png
dog | dog | noto | png
poodle | poodle | twemoji | png
cat | cat | noto | png
horse | horse | twemoji | png
lion | lion | noto | png
panda | panda | twemoji | jpg
frog | frog | noto | png
sloth | sloth | fluent | png
turkey | turkey | twemoji | png
bird | bird | noto | png
fish | fish | twemoji | png
whale | whale | noto | webp
octopus | octopus | fluent | png
lobster | lobster | noto | png
butterfly | butterfly | twemoji | gif
sunflower | sunflower | noto | png
rose | rose | twemoji | png
tree | evergreen tree | noto | png
cactus | cactus | fluent | webp
sad face | slightly frowning face | noto | png
crying face | crying face | twemoji | png
grinning face | grinning face | noto | png
angry face | angry face | twemoji | png
surprised face | astonished face | fluent | png
face with a mask | face with medical mask | noto | gif
ghost | ghost | twemoji | png
car | automobile | noto | png
racing car | racing car | fluent | jpg
bus | bus | twemoji | png
ambulance | ambulance | noto | png
bicycle | bicycle | twemoji | png
airplane | airplane | noto | png
rocket | rocket | twemoji | webp
sailboat | sailboat | noto | png
house | house | twemoji | jpg
rain | cloud with rain | noto | png
snowman | snowman | twemoji | png
sun | sun | noto | png
umbrella | umbrella | fluent | png
guitar | guitar | noto | png
drum | drum | twemoji | png
maracas | maracas | noto | png
scissors | scissors | fluent | png
microscope | microscope | noto | png
jeans | jeans | twemoji | png
radio | radio | noto | png
bomb | bomb | twemoji | png'''.split('\n')]


def drawing(style, code):
    folder = os.path.join(SRC, dict(noto='emoji-datasource-google/img/google/64', twemoji='emoji-datasource-twitter/img/twitter/64', fluent='fluent-emoji-3d/assets')[style])
    file = {norm(os.path.splitext(f)[0]): f for f in os.listdir(folder)}[code]
    im = Image.open(os.path.join(folder, file)).convert('RGBA')
    if style == 'fluent':
        im = im.convert('RGBa').resize((120, 120), Image.LANCZOS).convert('RGBA')
    white = Image.new('RGBA', (im.width + 8, im.height + 8), 'white')
    white.alpha_composite(im, (4, 4))
    return white.convert('RGB')


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument('--to', default='models/demo')
    ap.add_argument('--show', help='a saved model: print its answers instead of writing')
    ap.add_argument('--ask', default='a red fruit;a sad face;an animal that swims;something to drink;a vehicle;the weather is bad;a musical instrument')
    a = ap.parse_args()
    concepts = load_concepts()
    _, held = split(concepts)
    at = {c['name']: i for i, c in enumerate(concepts)}
    rows = [(label, label.replace(' ', '_') + '.' + ext, name, style) for label, name, style, ext in SET]
    if a.show:
        from evaluate import Folder
        model, labels = Folder(a.show), open(os.path.join(a.to, 'labels.txt')).read().split('\n')[:-1]
        z = model.images([Image.open(os.path.join(a.to, f)).convert('RGB') for _, f, _, _ in rows])
        e, T = model.texts(labels), float(model.m.temperature)
        good = good5 = 0
        for (label, f, name, _), v in zip(rows, z):
            s = e @ v / T
            p = np.exp(s - s.max()) / np.exp(s - s.max()).sum()
            top = np.argsort(-p)[:3]
            good, good5 = good + (labels[top[0]] == label), good5 + (label in [labels[k] for k in np.argsort(-p)[:5]])
            print('%-24s %s %s' % (f, 'new' if at[name] in held else '   ', ', '.join('%s %.2f' % (labels[k], p[k]) for k in top)))
        print('first label right: %d of %d; among five: %d' % (good, len(rows), good5))
        for q in a.ask.split(';'):
            print('"%s": %s' % (q, ', '.join(rows[k][1] for k in np.argsort(-(z @ model.texts([q])[0]))[:5])))
        return
    os.makedirs(a.to, exist_ok=True)
    for label, f, name, style in rows:
        im, path = drawing(style, concepts[at[name]]['code']), os.path.join(a.to, f)
        if f.endswith('.gif'):
            im = im.quantize(256)
        im.save(path, **dict(jpg=dict(quality=92), webp=dict(quality=92), png=dict(optimize=True), gif={})[f.rsplit('.', 1)[1]])
    with open(os.path.join(a.to, 'labels.txt'), 'w') as out:
        out.write(''.join(label + '\n' for label, *_ in rows))
    with open(os.path.join(a.to, 'pictures.tsv'), 'w') as out:
        out.write('file\tlabel\temoji name\tdrawings of\tin training\n')
        for label, f, name, style in rows:
            out.write('%s\t%s\t%s\t%s\t%s\n' % (f, label, name, dict(noto='Noto Emoji', twemoji='Twemoji', fluent='Fluent Emoji')[style], 'no' if at[name] in held else 'yes'))
    print(len(rows), 'pictures,', sum(os.path.getsize(os.path.join(a.to, f)) for f in os.listdir(a.to)), 'bytes')


if __name__ == '__main__':
    main()
