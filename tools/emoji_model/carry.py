"""The model of one stage as the next begins with it: for pictures of another size, and with the text's projection, if asked, half way back to where it began.
What a projection learns serves the texts of the drawings alone; half of it keeps nearly all of that, and gives back most of what it had cost on other words.
python carry.py --from out/stage3 --to out/carried --side 64 --back out/start"""
import argparse
import os

import torch
from transformers import AlignModel

from distil import tokenizer
from start import processor


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument('--from', dest='source', required=True)
    ap.add_argument('--to', required=True)
    ap.add_argument('--side', type=int, required=True)
    ap.add_argument('--back', help='folder of the model whose projection half of the new one is')
    a = ap.parse_args()
    tok, m = tokenizer(), AlignModel.from_pretrained(a.source)
    if a.back:
        first = AlignModel.from_pretrained(a.back).text_projection
        with torch.no_grad():
            m.text_projection.weight.lerp_(first.weight, .5)
            m.text_projection.bias.lerp_(first.bias, .5)
    m.config.vision_config.image_size = a.side
    m.config._name_or_path = ''
    os.makedirs(a.to, exist_ok=True)
    processor(tok, a.side).save_pretrained(a.to)
    tok.save_vocabulary(a.to)
    m.save_pretrained(a.to)


if __name__ == '__main__':
    main()
