"""Makes the goldens of the picture half of src/processor: python make_pictures.py ../golden/processor

Made with Pillow 13.0.0, numpy 1.26.4, transformers 4.37.2 (requirements.txt). It writes

* pictures/<file>: encoded pictures, and pictures/expected.txt: a line "<file> <height> <width> <crc32> <height> <width>
  <crc32>" each: the RGB of PIL.ImageOps.exif_transpose(Image.open(f)).convert("RGB"), and that without exif_transpose;
* resize.txt: a line "<filter> <height> <width> <channels> <seed> <out height> <out width> <crc32> <crc32 horizontal
  first>" a resize of a picture of noise;
* image_processor.json: preprocessor_config.json files as the reference writes them, and the crc32 of the float32 that it
  makes of pictures of noise.

Noise comes from noise(), which tests/processor/picture_test.h has in C.
"""

import io
import json
import os
import sys
import warnings
import zlib

import numpy as np
import pictures
from PIL import Image, ImageOps
from transformers import EfficientNetImageProcessor

HEIGHT, WIDTH = 11, 17


def noise(seed, *shape):
    """Bytes that any language makes alike: a hash of each byte's number."""
    n = np.arange(int(np.prod(shape)), dtype=np.uint64) + np.uint64(seed * 1000003 % 2**32)
    v = n * np.uint64(2654435761) & np.uint64(0xFFFFFFFF)
    v ^= v >> np.uint64(15)
    v = v * np.uint64(2246822519) & np.uint64(0xFFFFFFFF)
    return (v >> np.uint64(24)).astype(np.uint8).reshape(shape)


def photo():
    """Smooth enough for lossy formats to be worth testing, with an edge."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(float)
    rgb = np.stack([x * 13, 255 - y * 20, 128 + 100 * np.sin(x / 3 + y / 4)], -1)
    rgb[3:7, 5:12] = (250, 20, 30)
    return Image.fromarray(np.clip(rgb, 0, 255).astype(np.uint8))


def encoded(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def png_files():
    def samples(depth, channels):
        return noise(depth * 8 + channels, HEIGHT, WIDTH, 2 * channels).view(np.uint16) >> (16 - depth)

    palette = pictures.png_chunk(b"PLTE", noise(5, 3 * 11).tobytes())  # 11 colours: 4- and 8-bit indices leave it
    for depth in (1, 2, 4, 8, 16):
        yield f"grey{depth}.png", pictures.png(samples(depth, 1), depth, 0)
    for depth in (1, 2, 4, 8):
        yield f"palette{depth}.png", pictures.png(samples(depth, 1), depth, 3,
                                                  palette if depth > 3 else
                                                  pictures.png_chunk(b"PLTE", noise(6, 3 << depth).tobytes()))
    for depth in (8, 16):
        yield f"rgb{depth}.png", pictures.png(samples(depth, 3), depth, 2)
        yield f"grey_alpha{depth}.png", pictures.png(samples(depth, 2), depth, 4)
        yield f"rgb_alpha{depth}.png", pictures.png(samples(depth, 4), depth, 6)
    transparency = pictures.png_chunk(b"tRNS", noise(7, 9).tobytes())
    yield "palette_trns.png", pictures.png(samples(4, 1), 4, 3, palette + transparency)
    yield "grey_trns.png", pictures.png(samples(2, 1), 2, 0, pictures.png_chunk(b"tRNS", b"\0\2"))
    yield "rgb_trns.png", pictures.png(samples(8, 3), 8, 2, pictures.png_chunk(b"tRNS", bytes(6)))
    for name, depth, kind, channels in (("grey1", 1, 0, 1), ("grey16", 16, 0, 1), ("palette4", 4, 3, 1),
                                        ("rgb8", 8, 2, 3), ("rgb_alpha16", 16, 6, 4)):
        yield f"{name}_interlaced.png", pictures.png(samples(depth, channels), depth, kind,
                                                     palette if kind == 3 else b"", interlaced=True)
    yield "filters.png", encoded(photo(), "png")
    yield "1x1.png", pictures.png(samples(8, 3)[:1, :1], 8, 2)
    chunk, rgb = pictures.png_chunk, samples(8, 3)
    text = b"Raw profile type exif\0" + pictures.raw_profile(pictures.exif(7, entries_before=3))
    itxt = b"XML:com.adobe.xmp\0\0\0\0\0" + pictures.xmp(3)
    yield "exif5.png", pictures.png(rgb, 8, 2, chunk(b"eXIf", pictures.exif(5)))
    yield "exif8_after.png", pictures.png(rgb, 8, 2, after=chunk(b"eXIf", pictures.exif(8, False, kind=4)))
    yield "raw_profile7.png", pictures.png(rgb, 8, 2, chunk(b"tEXt", text))
    yield "xmp3.png", pictures.png(rgb, 8, 2, chunk(b"iTXt", itxt))
    yield "exif6_over_xmp3.png", pictures.png(rgb, 8, 2, chunk(b"eXIf", pictures.exif(6)) + chunk(b"iTXt", itxt))


def jpeg_files():
    rgb = photo()
    grey, cmyk = rgb.convert("L"), Image.frombytes("CMYK", rgb.size, noise(8, HEIGHT, WIDTH, 4).tobytes())
    plain = encoded(rgb, "jpeg", quality=60)
    for name, options in (("420", dict(subsampling=2)), ("422", dict(subsampling=1)), ("444", dict(subsampling=0)),
                          ("progressive", dict(progressive=True)), ("restarts", dict(restart_marker_blocks=1)),
                          ("optimized", dict(optimize=True)), ("kept_rgb", dict(keep_rgb=True))):
        yield f"{name}.jpg", encoded(rgb, "jpeg", quality=70, **options)
    yield "grey.jpg", encoded(grey, "jpeg", quality=70)
    yield "1x1.jpg", encoded(rgb.crop((0, 0, 1, 1)), "jpeg")
    inks = encoded(cmyk, "jpeg", quality=80)
    at = inks.index(b"Adobe")
    for transform in (2, 9):  # 2: YCCK; 9: unheard of
        yield f"cmyk_adobe{transform}.jpg", inks[: at + 11] + bytes([transform]) + inks[at + 12 :]
    yield "cmyk.jpg", inks
    yield "cmyk_no_adobe.jpg", pictures.without_segment(inks, 0xEE)
    for orientation in range(1, 9):
        block = pictures.exif(orientation, orientation % 2 == 0, 3 + orientation % 3 // 2, entries_before=orientation)
        yield f"exif{orientation}.jpg", pictures.jpeg_with(plain, [(0xE1, b"Exif\0\0" + block)])
    odd = (("exif_twice_marked6", pictures.exif(6), b"Exif\0\0Exif\0\0"), ("exif9", pictures.exif(9), b"Exif\0\0"),
           ("exif_two_values", pictures.exif(6, count=2), b"Exif\0\0"))
    for name, block, mark in odd:
        yield f"{name}.jpg", pictures.jpeg_with(plain, [(0xE1, mark + block)])
    mark = b"http://ns.adobe.com/xap/1.0/\0"
    yield "xmp8.jpg", pictures.jpeg_with(plain, [(0xE1, mark + pictures.xmp(8))])
    yield "xmp2_element.jpg", pictures.jpeg_with(plain, [(0xE1, mark + pictures.xmp(2, True))])
    yield "exif6_over_xmp8.jpg", pictures.jpeg_with(plain, [(0xE1, mark + pictures.xmp(8)),
                                                           (0xE1, b"Exif\0\0" + pictures.exif(6))])


def webp_files():
    rgb = photo()
    alpha = rgb.copy()
    alpha.putalpha(Image.fromarray(noise(9, HEIGHT, WIDTH)))
    yield "lossy.webp", encoded(rgb, "webp", quality=70)
    yield "lossless.webp", encoded(rgb, "webp", lossless=True)
    yield "lossy_alpha.webp", encoded(alpha, "webp", quality=70)
    yield "lossless_alpha.webp", encoded(alpha, "webp", lossless=True, exact=True)
    yield "exif6.webp", encoded(rgb, "webp", quality=50, exif=b"Exif\0\0" + pictures.exif(6))
    yield "xmp4.webp", encoded(rgb, "webp", quality=50, xmp=pictures.xmp(4))
    later = ImageOps.mirror(rgb)
    yield "animated.webp", encoded(rgb, "webp", lossless=True, save_all=True, append_images=[later], duration=50)
    yield "animated_alpha.webp", encoded(alpha, "webp", lossless=True, save_all=True, append_images=[later],
                                         exact=True, duration=50)


def gif_files():
    colours, grey = noise(10, 12).tobytes(), bytes(i // 3 for i in range(12))
    local = noise(11, 24).tobytes()
    whole = dict(box=(0, 0, 5, 4), indices=noise(12, 20) % 4, bits=2)
    yield "plain.gif", pictures.gif((5, 4), colours, [whole])
    yield "local_table.gif", pictures.gif((5, 4), colours, [dict(whole, table=local, indices=noise(13, 20) % 8, bits=3)])
    yield "no_table.gif", pictures.gif((5, 4), None, [whole])
    yield "grey_table.gif", pictures.gif((5, 4), grey, [dict(whole, indices=noise(14, 20) % 16, bits=4)])
    yield "past_table.gif", pictures.gif((5, 4), colours, [dict(whole, indices=noise(15, 20) % 16, bits=4)])
    small = dict(box=(2, 1, 2, 2), indices=[1, 2, 3, 1], bits=2)
    yield "offset.gif", pictures.gif((5, 4), colours, [small], background=3)
    yield "offset_transparent.gif", pictures.gif((5, 4), colours, [dict(small, transparent=2)], background=3)
    yield "transparent_past_table.gif", pictures.gif((5, 4), colours, [dict(small, transparent=200)])
    yield "over_the_screen.gif", pictures.gif((3, 2), colours, [small])
    yield "no_screen.gif", pictures.gif((0, 0), colours, [small])
    yield "no_trailer.gif", pictures.gif((5, 4), colours, [whole])[:-1]
    yield "two_frames.gif", pictures.gif((5, 4), colours, [whole, small])
    adaptive = photo().convert("P", palette=Image.ADAPTIVE, colors=29)
    yield "interlaced.gif", encoded(adaptive, "gif", interlace=True)
    big = Image.fromarray(noise(16, 40, 50)).convert("P", palette=Image.ADAPTIVE, colors=200)
    yield "interlaced_big.gif", encoded(big, "gif", interlace=True, comment=b"a comment")


def write_pictures(folder):
    lines = []
    for source in (png_files, jpeg_files, webp_files, gif_files):
        for name, data in source():
            with open(os.path.join(folder, name), "wb") as out:
                out.write(data)
            stored = Image.open(io.BytesIO(data)).convert("RGB")
            upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
            line = [name]
            for image in (upright, stored):
                line += [image.height, image.width, f"{zlib.crc32(image.tobytes()):08x}"]
            lines.append(" ".join(map(str, line)))
    with open(os.path.join(folder, "expected.txt"), "w") as out:
        out.write("\n".join(lines) + "\n")


def resized(array, height, width, resample):
    channels = array.shape[2]
    mode = {1: "L", 3: "RGB", 4: "CMYK"}[channels]
    image = Image.frombytes(mode, (array.shape[1], array.shape[0]), array.tobytes())
    both = image.resize((width, height), resample)
    in_turn = image.resize((width, image.height), resample).resize((width, height), resample)
    return [f"{zlib.crc32(i.tobytes()):08x}" for i in (both, in_turn)]


def write_resizes(path):
    rng = np.random.RandomState(1)
    edge = [(1, 1, 1, 1), (1, 1, 9, 7), (9, 7, 1, 1), (8, 8, 8, 8), (1, 700, 1, 3), (700, 1, 2, 5), (64, 65, 64, 30),
            (64, 65, 30, 65), (2, 3, 346, 289), (300, 2, 10, 2), (90, 10, 20, 9), (20, 40, 19, 39), (5, 5, 6, 4)]
    with open(path, "w") as out:
        for case in range(300):
            if case < 6 * len(edge):
                height, width, out_height, out_width = edge[case // 6]
            else:
                height, width, out_height, out_width = (int(2 ** rng.uniform(0, 8)) for _ in range(4))
            resample, channels = case % 6, (1, 3, 4)[case // 6 % 3]
            crcs = resized(noise(case, height, width, channels), out_height, out_width, resample)
            out.write(f"{resample} {height} {width} {channels} {case} {out_height} {out_width} {' '.join(crcs)}\n")


IMAGENET = dict(image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225])
ALIGN_BASE = dict(do_center_crop=True, rescale_factor=1 / 127.5, rescale_offset=True, do_normalize=False,
                  include_top=False, resample=2, size=dict(height=24, width=20), crop_size=dict(height=18, width=17))


def processor_parameters():
    yield {}
    yield ALIGN_BASE
    yield dict(ALIGN_BASE, size=20, crop_size=[31, 18])
    yield dict(ALIGN_BASE, crop_size=dict(height=25, width=41), resample=1, **IMAGENET)
    yield dict(IMAGENET, size=30, image_mean=0.4, unknown_key={"kept": [1, None]})
    yield dict(size=[9, 8], image_std=[1, 2, 3], image_mean=0, resample=3)
    for factor in (1, 2, 255, 0.013, 2.0, 1 / 255):
        yield dict(size=[11, 13], resample=5, rescale_factor=factor, rescale_offset=True, do_normalize=False)
    for flags in range(32):
        on = [bool(flags >> bit & 1) for bit in range(5)]
        yield dict(IMAGENET, do_resize=on[0], do_center_crop=on[1], do_rescale=on[2], do_normalize=on[3],
                   include_top=on[4], size=[12, 10], crop_size=[11, 13], resample=4, rescale_offset=flags % 3 == 0)


def float_picture(kind, data):
    """unit: fractions in [0,1]; whole: 0..255; binary: 0 and 1, which a resize takes as two of 256 levels."""
    x = data.astype(np.float32)
    return {"unit": x * np.float32(1 / 256), "whole": x, "binary": np.float32(data & 1)}[kind]


def write_processor_cases(path):
    cases = []
    for number, parameters in enumerate(processor_parameters()):
        processor = EfficientNetImageProcessor(**parameters)
        case = {"saved": processor.to_json_string(), "config": parameters, "runs": []}
        shapes = ((23, 29, 3), (40, 7, 3)) if number % 2 else ((14, 31, 3),)
        for shape in shapes:
            data = noise(number, *shape)
            for kind in ("bytes", "unit", "whole", "binary"):
                out = processor(data if kind == "bytes" else float_picture(kind, data))["pixel_values"][0]
                out = np.ascontiguousarray(out, dtype=np.float32)
                case["runs"].append({"input": kind, "shape": shape, "seed": number, "output": out.shape,
                                     "crc32": f"{zlib.crc32(out.tobytes()):08x}"})
        cases.append(case)
    with open(path, "w") as out:
        json.dump(cases, out, separators=(",", ":"))
        out.write("\n")


def main(folder):
    warnings.simplefilter("ignore")
    os.makedirs(os.path.join(folder, "pictures"), exist_ok=True)
    write_pictures(os.path.join(folder, "pictures"))
    write_resizes(os.path.join(folder, "resize.txt"))
    write_processor_cases(os.path.join(folder, "image_processor.json"))


if __name__ == "__main__":
    main(sys.argv[1])
