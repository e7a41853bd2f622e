"""Encoders for the odd pictures that no library writes: every PNG depth and colour, GIFs with strange tables, WebP and
JPEG files with metadata put in by hand. Nothing here compresses well; the pictures are tiny.

Made for Pillow 13.0.0, numpy 1.26.4 (requirements.txt).
"""

import struct
import zlib

ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def png_chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def pack_samples(samples, depth):
    """One row of samples, most significant bits first."""
    bits = "".join(format(int(s), f"0{depth}b") for s in samples)
    return int(bits.ljust((len(bits) + 7) // 8 * 8, "0") or "0", 2).to_bytes((len(bits) + 7) // 8, "big")


def png(samples, depth, colour_type, before=b"", after=b"", interlaced=False):
    """samples: [height, width, channels] of numbers below 2**depth. before and after: chunks around the IDAT."""
    height, width, _ = samples.shape
    passes = ADAM7 if interlaced else ((0, 0, 1, 1),)
    rows = b""
    for x0, y0, dx, dy in passes:
        part = samples[y0::dy, x0::dx]
        if part.size:
            rows += b"".join(b"\0" + pack_samples(row.ravel(), depth) for row in part)
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, int(interlaced))
    return (b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + before + png_chunk(b"IDAT", zlib.compress(rows, 9))
            + after + png_chunk(b"IEND", b""))


def lzw(indices, bits):
    """GIF's LZW without ever using a code of two pixels: the table is cleared before codes would grow."""
    clear = 1 << bits
    run = max(clear - 2, 1)
    codes = []
    for i, index in enumerate(indices):
        if i % run == 0:
            codes.append(clear)
        codes.append(int(index))
    codes.append(clear + 1)
    stream = sum(code << (bits + 1) * i for i, code in enumerate(codes))
    data = stream.to_bytes(((bits + 1) * len(codes) + 7) // 8, "little")
    blocks = b"".join(bytes([len(data[i : i + 255])]) + data[i : i + 255] for i in range(0, len(data), 255))
    return bytes([bits]) + blocks + b"\0"


def table_flags(table):
    return 0 if table is None else 0x80 | ((len(table) // 3).bit_length() - 2)


def gif(screen, table, frames, background=0):
    """screen: (width, height). frames: dicts of box (x, y, width, height), indices, bits; table and transparent."""
    out = b"GIF89a" + struct.pack("<HHBBB", *screen, table_flags(table), background, 0) + (table or b"")
    for frame in frames:
        local = frame.get("table")
        if "transparent" in frame:
            out += b"!\xf9\x04" + bytes([1, 0, 0, frame["transparent"]]) + b"\0"
        out += b"," + struct.pack("<HHHHB", *frame["box"], table_flags(local)) + (local or b"")
        out += lzw(frame["indices"], frame["bits"])
    return out + b";"


def exif(orientation, big_endian=True, kind=3, count=1, entries_before=0):
    """A TIFF block with the orientation after some other entries. kind 3: SHORT, 4: LONG."""
    e = ">" if big_endian else "<"
    value = struct.pack(e + ("HH" if kind == 3 else "I"), *((orientation, 0) if kind == 3 else (orientation,)))
    entries = [struct.pack(e + "HHII", 0x0100 + i, 4, 1, 7) for i in range(entries_before)]
    entries.append(struct.pack(e + "HHI", 0x0112, kind, count) + value)
    head = (b"MM\0*" if big_endian else b"II*\0") + struct.pack(e + "I", 8)
    return head + struct.pack(e + "H", len(entries)) + b"".join(entries) + struct.pack(e + "I", 0)


def xmp(orientation, as_element=False):
    if as_element:
        inner = f"><tiff:Orientation>{orientation}</tiff:Orientation></rdf:Description>"
    else:
        inner = f' tiff:Orientation="{orientation}"/>'
    return f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description{inner}</x:xmpmeta>'.encode()


def raw_profile(block):
    """What ImageMagick writes as tEXt "Raw profile type exif"."""
    digits = (b"Exif\0\0" + block).hex()
    lines = "\n".join(digits[i : i + 72] for i in range(0, len(digits), 72))
    return f"\nexif\n{len(digits) // 2:8}\n{lines}\n".encode()


def jpeg_with(jpeg, segments):
    """Puts (marker, data) segments behind the SOI."""
    body = b"".join(bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data for marker, data in segments)
    return jpeg[:2] + body + jpeg[2:]


def without_segment(jpeg, marker):
    """Drops the first segment of a kind."""
    at = 2
    while jpeg[at + 1] != marker:
        at += 2 + struct.unpack(">H", jpeg[at + 2 : at + 4])[0]
    return jpeg[:at] + jpeg[at + 2 + struct.unpack(">H", jpeg[at + 2 : at + 4])[0] :]
