#!/usr/bin/env python3
"""Shows the pictures of a topic in a terminal, two pixels to a character: the second process of ./demo.sh where there
is no C compiler. samples/c/viewer.c is the same in C and says what it reads and writes.

    viewer.py NAME COLUMNS ROWS

Needs nativeipc_channels.py (interop/python) and pictures.py (which the build of samples/dotnet/Transfer writes) in
PYTHONPATH. It takes one pixel for each that it shows, not the average: Python is too slow for that.
"""

import ctypes
import os
import select
import signal
import sys
import time

from nativeipc_channels import Topic
from pictures import Picture

LINES, LOOK_SECONDS = 4, 0.05


class Input:
    """What the process that started this one says; its end ends this program."""

    def __init__(self):
        self.told, self._line = "", b""

    def goes_on(self):
        while select.select([0], [], [], 0)[0]:
            got = os.read(0, 512)
            if not got:
                return False
            *lines, self._line = (self._line + got).split(b"\n")
            if lines:
                self.told = "".join(chr(c) if 32 <= c < 127 else "?" for c in lines[-1])
        return True


def fit(width, height, most_columns, most_rows):
    """The largest size that has the picture's proportions; a cell is twice as high as it is wide."""
    rows = most_columns * height // width // 2
    columns = most_columns if rows <= most_rows else most_rows * 2 * width // height
    return max(1, min(columns, most_columns)), max(1, min(rows, most_rows))


def cells(pixels, width, height, columns, rows):
    """The lines of the picture."""
    places = [4 * ((2 * x + 1) * width // (2 * columns)) for x in range(columns)]
    lines = []
    for row in range(rows):
        upper, lower = (4 * width * ((2 * y + 1) * height // (4 * rows)) for y in (2 * row, 2 * row + 1))
        line = []
        for x in places:
            a, b = upper + x, lower + x
            line.append(
                f"\033[38;2;{pixels[a]};{pixels[a + 1]};{pixels[a + 2]}m"
                f"\033[48;2;{pixels[b]};{pixels[b + 1]};{pixels[b + 2]}m\u2580"
            )
        lines.append("".join(line) + "\033[0m\033[K\n")
    return lines


def main():
    name, most_columns, most_rows = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]) - LINES
    ended = []
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that started this one ends it in good order
    signal.signal(signal.SIGTERM, lambda *_: ended.append(True))
    sys.stdout.reconfigure(encoding="utf-8")
    parent, frames, size, begun, last, shown, rate, takeover = Input(), 0, 0, 0.0, 0.0, 0, "", ""
    recent, recent_frames, recent_size = 0.0, 0, 0
    with Topic.open(name) as topic, topic.open_reader() as reader:
        reader.rewind()
        while not ended and parent.goes_on():
            message = reader.read(LOOK_SECONDS)
            if message is None:
                if reader.is_completed:
                    break
                continue
            if len(message) < ctypes.sizeof(Picture):
                continue
            head = Picture.from_buffer_copy(message)
            if not head.width or not head.height or (
                len(message) != ctypes.sizeof(Picture) + head.width * head.height * 4
            ):
                continue
            last = time.monotonic()
            if not frames:
                begun = recent = last
            frames, size = frames + 1, size + len(message)
            recent_frames, recent_size = recent_frames + 1, recent_size + len(message)
            if last - recent >= 0.5:
                seconds = last - recent
                rate = f"{recent_frames / seconds:.0f} frames/s, {recent_size / 1e6 / seconds:.0f} MB/s, "
                rate += f"{reader.missed} missed"
                recent, recent_frames, recent_size = last, 0, 0
            if head.took_over:
                takeover = f"Process {head.process_id} took over and goes on."
            if most_rows > 0:
                columns, rows = fit(head.width, head.height, most_columns, most_rows)
                line = f"Frame {head.number}: drawn by process {head.process_id} in .NET, "
                line += f"shown by process {os.getpid()} in Python"
                pixels = memoryview(message)[ctypes.sizeof(Picture) :]
                text = [f"\033[{shown}A" if shown else "", "\r\033[?25l"]
                text += cells(pixels, head.width, head.height, columns, rows)
                for colour, words in ("", line), ("\033[2m", rate), ("\033[31m", parent.told), ("\033[32m", takeover):
                    text.append(f"{colour}{words[: most_columns - 1]}\033[0m\033[K\n")
                sys.stdout.write("".join(text))
                sys.stdout.flush()
                shown = rows + LINES
            print(f"frame {frames} {head.number} {head.process_id} {head.took_over}", file=sys.stderr, flush=True)
        if most_rows > 0:
            sys.stdout.write("\033[0m\033[?25h")
        print(f"end {frames} {size} {reader.missed} {int((last - begun) * 1000)}", file=sys.stderr, flush=True)


try:
    main()
except OSError as error:
    sys.exit(f"viewer: {error}")
