#!/usr/bin/env python3
"""Draws the icon of the packages: two processes, and the memory that both see. Writes eng/icon.png
(128 x 128, by nothing but the standard library) and eng/icon.svg from the same shapes."""
import pathlib
import struct
import zlib

SIZE, FINE = 128, 4  # pixels; points on each side of a pixel
# x, y, width, height, radius, colour: what comes later lies above
SHAPES = [
    (0, 0, 128, 128, 26, "#0f3d4c"),
    (16, 22, 64, 62, 11, "#e8f1f2"),
    (48, 44, 64, 62, 11, "#e8f1f2"),
    (22, 28, 52, 50, 6, "#0f3d4c"),
    (54, 50, 52, 50, 6, "#0f3d4c"),
    (48, 44, 32, 40, 6, "#f2a541"),
]


def inside(shape, x, y):
    left, top, width, height, radius, _ = shape
    dx = max(left + radius - x, 0, x - (left + width - radius))
    dy = max(top + radius - y, 0, y - (top + height - radius))
    return left <= x <= left + width and top <= y <= top + height and dx * dx + dy * dy <= radius * radius


def colour(x, y):
    for shape in reversed(SHAPES):
        if inside(shape, x, y):
            return tuple(int(shape[5][at:at + 2], 16) for at in (1, 3, 5)) + (255,)
    return (0, 0, 0, 0)


def row(y):
    line = bytearray([0])
    for x in range(SIZE):
        points = [colour(x + (i + .5) / FINE, y + (j + .5) / FINE) for i in range(FINE) for j in range(FINE)]
        seen = sum(point[3] for point in points)
        mixed = [sum(point[part] * point[3] for point in points) // seen if seen else 0 for part in range(3)]
        line += bytes([*mixed, seen // len(points)])
    return bytes(line)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


folder = pathlib.Path(__file__).parent
(folder / "icon.png").write_bytes(
    b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", SIZE, SIZE, 8, 6, 0, 0, 0))
    + chunk(b"IDAT", zlib.compress(b"".join(row(y) for y in range(SIZE)), 9)) + chunk(b"IEND", b""))
(folder / "icon.svg").write_text(
    f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIZE} {SIZE}" role="img" aria-label="NativeIpc">\n'
    + "".join(f'  <rect x="{x}" y="{y}" width="{width}" height="{height}" rx="{radius}" fill="{fill}"/>\n'
              for x, y, width, height, radius, fill in SHAPES)
    + "</svg>\n")
