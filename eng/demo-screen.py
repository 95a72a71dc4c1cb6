#!/usr/bin/env python3
"""What a person saw of the moving picture of ./demo.sh, from what it wrote to a terminal: for eng/demo-test.sh.

    eng/demo-screen.py TYPESCRIPT       a line for each of: frames, different ones, cells of the largest, its colours,
                                        whether both halves of cells differ; then the text of the last screen
    eng/demo-screen.py --window FILE X Y WIDTH HEIGHT...
                                        of each rectangle of the screen of Xvfb (-fbdir, a file of xwd) the colours of
                                        all its pixels, RRGGBB, with commas between them
    eng/demo-screen.py --text FILE X Y WIDTH HEIGHT
                                        the pixels of a rectangle, a line for each row: . is black, # is not
"""

import re
import struct
import sys

CELL = "\u2580"  # the upper half in the colour of the text, the lower one in that of the background
TOKEN = re.compile(r"\x1b\[([?0-9;]*)([A-Za-z])|(\r?\n)|(\r)|(\x1b.|[\x00-\x1f])|(.)", re.S)


def frames_of(text):
    """Draws into lines as a terminal does that nothing scrolls out of: a frame is what stands there whenever the cursor
    goes up again, and at the end."""
    lines, row, column, colours = {}, 0, 0, (None, None)
    for code, letter, newline, back, other, character in TOKEN.findall(text):
        if letter == "A":
            yield {place: dict(cells) for place, cells in lines.items()}
            row -= int(code or 1)
        elif letter == "m":
            words = code.split(";")
            if words[:2] == ["38", "2"]:
                colours = (tuple(words[2:]), colours[1])
            elif words[:2] == ["48", "2"]:
                colours = (colours[0], tuple(words[2:]))
            else:
                colours = (None, None)
        elif letter == "K":
            for place in [place for place in lines.get(row, {}) if place >= column]:
                del lines[row][place]
        elif newline:
            row, column = row + 1, 0
        elif back:
            column = 0
        elif character:
            lines.setdefault(row, {})[column] = (character, *colours)
            column += 1
    yield lines


def picture(frame):
    """Its cells that have two colours."""
    return tuple(
        (row, column, cell)
        for row in sorted(frame)
        for column, cell in sorted(frame[row].items())
        if cell[0] == CELL and cell[1] and cell[2]
    )


def terminal(path):
    with open(path, encoding="utf-8", errors="replace", newline="") as file:
        frames = list(frames_of(file.read()))
    pictures = [shown for shown in map(picture, frames) if shown]
    largest = max(pictures, key=len, default=())
    colours = {colour for _, _, cell in largest for colour in cell[1:]}
    print("frames", len(pictures))
    print("different", len(set(pictures)))
    print("cells", len(largest))
    print("colours", len(colours))
    print("halves", sum(cell[1] != cell[2] for _, _, cell in largest))
    last = frames[-1]
    for row in sorted(last):
        text = "".join(last[row].get(column, " ")[0] for column in range(max(last[row], default=-1) + 1))
        if CELL not in text:
            print("text", text)


def screen(path):
    """What gives the rows of a rectangle, each a list of colours."""
    with open(path, "rb") as file:
        data = file.read()
    head = struct.unpack(">25I", data[:100])
    size, is_little, bits, line_size, entries = head[0], head[7] == 0, head[11], head[12], head[19]
    if bits != 32:
        sys.exit(f"a screen of {bits} bits for each pixel; 32 were expected")

    def rows(x, y, width, height):
        for row in range(y, y + height):
            at = size + 12 * entries + row * line_size + 4 * x
            pixels = struct.unpack_from(f"{'<' if is_little else '>'}{width}I", data, at)
            yield [pixel & 0xFFFFFF for pixel in pixels]

    return rows


def window(path, places):
    rows = screen(path)
    for at in range(0, len(places), 4):
        colours = {colour for row in rows(*places[at : at + 4]) for colour in row}
        print(",".join(f"{colour:06x}" for colour in sorted(colours)))


def text(path, place):
    for row in screen(path)(*place):
        print("".join("#" if colour else "." for colour in row).rstrip("."))


if sys.argv[1] == "--window":
    window(sys.argv[2], [int(word) for word in sys.argv[3:]])
elif sys.argv[1] == "--text":
    text(sys.argv[2], [int(word) for word in sys.argv[3:]])
else:
    terminal(sys.argv[1])
