"""What a precision costs: recall of the saved model over OpenMoji's and Noto's drawings, embedded by the command line tool.

    python tools/emoji_model/precision.py build/align [models/emoji]

Needs the work folder of README.md (drawings and names). Prints, a precision: per cent of pictures whose name is first / among 5 /
among 10, the same for names, and the smallest cosine of an embedding against its f32 one."""
import os
import subprocess
import sys
import tempfile

import numpy as np
from safetensors.numpy import load_file

from common import load_concepts
from evaluate import natural

AT_ONCE = 400   # pictures of one command line


def embed(align, model, precision, files, names, work):
    """(image_embeds, text_embeds) of equally many files and names."""
    output, parts = os.path.join(work, 'embeds.safetensors'), []
    for i in range(0, len(files), AT_ONCE):
        subprocess.run([align, 'embed', '--model', model, '--precision', precision, '--quiet', '--output', output,
                        '--image', *files[i:i + AT_ONCE], '--text', *names[i:i + AT_ONCE]], check=True)
        tensors = load_file(output)
        parts.append((tensors['image_embeds'], tensors['text_embeds']))
    return [np.concatenate(p) for p in zip(*parts)]


def recall(scores):
    rank = (scores > np.diag(scores)[:, None]).sum(1)
    return ' / '.join('%.1f' % (100 * (rank < k).mean()) for k in (1, 5, 10))


def main():
    align, model = sys.argv[1], (sys.argv[2:] or ['models/emoji'])[0]
    concepts = load_concepts()
    for vendor in ('openmoji', 'noto'):
        with tempfile.TemporaryDirectory() as work:
            files, names, reference = [], [], None
            for i, picture in enumerate(natural(vendor, concepts)):
                if picture is not None:
                    files.append(os.path.join(work, '%d.png' % i))
                    names.append(concepts[i]['name'])
                    picture.save(files[-1])
            for precision in ('f32', 'bf16', 'int8'):
                images, texts = embed(align, model, precision, files, names, work)
                reference = reference or (images, texts)
                scores = images @ texts.T
                print('%-9s %-5s picture to name %s   name to picture %s   cosine %.5f pictures, %.5f texts'
                      % (vendor, precision, recall(scores), recall(scores.T), (images * reference[0]).sum(1).min(),
                         (texts * reference[1]).sum(1).min()), flush=True)


main()
