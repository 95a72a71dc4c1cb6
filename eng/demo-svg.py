#!/usr/bin/env python3
"""Runs a command in a terminal of its own and draws what it shows as a moving picture: one SVG file that needs no
script, no service and no font of its own. docs/images/demo.svg is

    eng/demo-svg.py docs/images/demo.svg

demo-svg.py [--size COLUMNSxROWS] [--frames N] [--rest SECONDS] [--idle SECONDS] [--limit BYTES] [--after TEXT]
            [--show TEXT] OUT [COMMAND...]
    --size    of the terminal; 100x30 by default
    --frames  at most, chosen evenly; 140 by default
    --rest    how long the last frame stays; 4 by default
    --idle    how long nothing may happen: longer pauses are cut to that; 0.8 by default
    --after   begin when this text is on the screen (a regular expression): without what was before, as a build
    --limit   bytes that the file may have: frames are left out until it fits; 450000 by default
    --show    the command line that the first row shows; that of COMMAND by default
COMMAND is ./demo.sh by default, from its picture on. Its exit code must be 0. The standard library only; Linux and
macOS.
"""
import argparse
import base64
import fcntl
import html
import os
import pty
import re
import select
import struct
import sys
import termios
import time
import unicodedata
import zlib

BACKGROUND, FOREGROUND = (13, 17, 23), (201, 209, 217)
NAMED = [(72, 79, 88), (255, 123, 114), (63, 185, 80), (210, 153, 34), (88, 166, 255), (188, 140, 255), (57, 197, 207),
         (177, 186, 196), (110, 118, 129), (255, 161, 152), (86, 211, 100), (227, 179, 65), (121, 192, 255),
         (210, 168, 255), (86, 212, 221), (255, 255, 255)]
WIDTH, HEIGHT = 8, 17  # of a cell
BLANK = (" ", None, None, False)
ESCAPE = re.compile(r"\x1b(?:\[([?>=]?)([0-9;:]*)[ -/]*([@-~])|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][0-9A-B]"
                    r"|[0-9A-Zc-z=>])")


class Screen:
    """What a terminal shows: as much of its language as programs use that draw and colour."""

    def __init__(self, columns, rows):
        self.columns, self.rows, self.rest = columns, rows, ""
        self.top, self.bottom = 0, rows - 1
        self.clear()
        self.saved, self.pen = (0, 0), (None, None, False, False)

    def clear(self):
        self.cells = [[BLANK] * self.columns for _ in range(self.rows)]
        self.row = self.column = 0

    def line_feed(self):
        if self.row == self.bottom:
            del self.cells[self.top]
            self.cells.insert(self.bottom, [BLANK] * self.columns)
        elif self.row < self.rows - 1:
            self.row += 1

    def feed(self, text):
        text, self.rest, i = self.rest + text, "", 0
        while i < len(text):
            if text[i] == "\x1b":
                found = ESCAPE.match(text, i)
                if not found:
                    self.rest = text[i:] if len(text) - i < 64 else ""
                    return
                if found[3]:
                    self.control(found[1], [int(part or 0) for part in re.split("[;:]", found[2])], found[3])
                elif found[0] == "\x1b7":
                    self.saved = self.row, self.column
                elif found[0] == "\x1b8":
                    self.row, self.column = self.saved
                elif found[0] == "\x1bM" and self.row > 0:
                    self.row -= 1
                i = found.end()
                continue
            self.put(text[i])
            i += 1

    def put(self, letter):
        if letter == "\n":
            self.line_feed()
        elif letter == "\r":
            self.column = 0
        elif letter == "\b":
            self.column = max(self.column - 1, 0)
        elif letter == "\t":
            self.column = min(self.column // 8 * 8 + 8, self.columns - 1)
        elif letter >= " " and not unicodedata.combining(letter):
            if self.column >= self.columns:
                self.column = 0
                self.line_feed()
            front, back, bold, reverse = self.pen
            if reverse:
                front, back = back or BACKGROUND, front or FOREGROUND
            self.cells[self.row][self.column] = (letter, front, back, bold)
            self.column += 1

    def control(self, mark, numbers, letter):
        first = max(numbers[0], 1)
        if letter == "m" and not mark:
            self.style(numbers)
        elif letter in "Hf":
            self.row = min(first, self.rows) - 1
            self.column = min(max(numbers[1] if len(numbers) > 1 else 1, 1), self.columns) - 1
        elif letter in "AF":
            self.row = max(self.row - first, 0)
        elif letter in "BE":
            self.row = min(self.row + first, self.rows - 1)
        elif letter == "C":
            self.column = min(self.column + first, self.columns - 1)
        elif letter == "D":
            self.column = max(self.column - first, 0)
        elif letter == "G":
            self.column = min(first, self.columns) - 1
        elif letter == "d":
            self.row = min(first, self.rows) - 1
        elif letter == "K":
            self.erase(self.row, numbers[0])
        elif letter == "J":
            if numbers[0] == 0:
                self.erase(self.row, 0)
                for row in range(self.row + 1, self.rows):
                    self.cells[row] = [BLANK] * self.columns
            elif numbers[0] >= 2:
                at = self.row, self.column
                self.clear()
                self.row, self.column = at
        elif letter == "r" and not mark:
            self.top = first - 1
            self.bottom = min(numbers[1] if len(numbers) > 1 and numbers[1] else self.rows, self.rows) - 1
            self.row = self.column = 0
        elif letter == "s":
            self.saved = self.row, self.column
        elif letter == "u" and not mark:
            self.row, self.column = self.saved
        elif letter in "hl" and mark == "?" and numbers[0] in (47, 1047, 1049):
            if letter == "h":
                self.behind = self.cells, self.row, self.column
                self.clear()
            else:
                self.cells, self.row, self.column = self.behind
        if letter in "EF":
            self.column = 0

    def erase(self, row, kind):
        start, end = {0: (self.column, self.columns), 1: (0, self.column + 1)}.get(kind, (0, self.columns))
        for column in range(start, min(end, self.columns)):
            self.cells[row][column] = (" ", None, self.pen[1], False)

    def style(self, numbers):
        front, back, bold, reverse = self.pen
        numbers = list(numbers)
        while numbers:
            number = numbers.pop(0)
            if number == 0:
                front, back, bold, reverse = None, None, False, False
            elif number in (1, 22):
                bold = number == 1
            elif number in (7, 27):
                reverse = number == 7
            elif number in (38, 48):
                kind = numbers.pop(0) if numbers else 0
                if kind == 5:
                    colour = indexed(numbers.pop(0))
                else:
                    colour, numbers = tuple(numbers[:3]), numbers[3:]
                front, back = (colour, back) if number == 38 else (front, colour)
            elif 30 <= number <= 37 or 90 <= number <= 97:
                front = NAMED[number - 30 if number < 90 else number - 82]
            elif 40 <= number <= 47 or 100 <= number <= 107:
                back = NAMED[number - 40 if number < 100 else number - 92]
            elif number == 39:
                front = None
            elif number == 49:
                back = None
        self.pen = front, back, bold, reverse

    def frame(self):
        return tuple(map(tuple, self.cells))


def indexed(number):
    if number < 16:
        return NAMED[number]
    if number >= 232:
        return (8 + (number - 232) * 10,) * 3
    number -= 16
    return tuple(0 if part == 0 else 55 + 40 * part for part in (number // 36, number // 6 % 6, number % 6))


def record(command, columns, rows, shown):
    """The frames, each with the time at which it was there."""
    screen, frames, start = Screen(columns, rows), [], time.monotonic()
    screen.feed(f"\x1b[32m$\x1b[0m {shown}\r\n")
    frames.append((0.0, screen.frame()))
    child, terminal = pty.fork()
    if child == 0:
        os.environ.update(TERM="xterm-256color", COLORTERM="truecolor", COLUMNS=str(columns), LINES=str(rows))
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        os.execvp(command[0], command)
    pending = b""
    while True:
        select.select([terminal], [], [])
        try:
            read = os.read(terminal, 1 << 16)
        except OSError:  # Linux says so that nobody has the other end open any more
            read = b""
        if not read:
            break
        pending += read
        text = pending.decode("utf-8", "ignore")
        pending = pending[len(text.encode()):][:3] if len(text.encode()) < len(pending) else b""
        screen.feed(text)
        frame = screen.frame()
        if frame != frames[-1][1]:
            frames.append((time.monotonic() - start, frame))
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code != 0:
        sys.exit(f"{' '.join(command)} ended with {code}")
    return frames


def cut(frames, idle, after):
    """What comes from a text on, without pauses."""
    first = next((number for number, (_, frame) in enumerate(frames) if not after or number and re.search(
        after, "\n".join("".join(cell[0] for cell in row) for row in frame))), None)
    if first is None:
        sys.exit(f"'{after}' was never on the screen")
    kept, last, moment = ([frames[0]] if first else []), 0.0, 0.0
    for start, frame in frames[first:]:
        moment += min(start - last, idle) if kept else 0
        kept.append((moment, frame))
        last = start
    return kept


def chosen(frames, most):
    """Some of the frames: what was there at times of equal distance, and the first and the last one."""
    if len(frames) <= most:
        return frames
    end, picked = frames[-1][0], []
    for step in range(most):
        moment = end * step / (most - 1)
        last = max((frame for frame in frames if frame[0] <= moment), default=frames[0])
        if not picked or picked[-1][1] != last[1]:
            picked.append(last)
    return picked if picked[-1][1] == frames[-1][1] else picked + [frames[-1]]


BLOCKS = {"▀": "fb", "▄": "bf", "█": "ff", " ": "bb"}


def colours(frame):
    """The halves of the cells that have a colour of their own, as a picture of twice as many rows; None if none has."""
    lines, any_colour = [], False
    for row in frame:
        halves = ([], [])
        for letter, front, back, _ in row:
            kinds = BLOCKS.get(letter, "bb")
            for half, kind in zip(halves, kinds):
                colour = (front or FOREGROUND) if kind == "f" else back
                any_colour = any_colour or colour is not None
                half.append(colour)
        lines.extend(halves)
    return lines if any_colour else None


def png(lines):
    """A picture of four colours' parts a pixel; what has no colour is clear. They are rounded, which packs better."""
    raw = b"".join(b"\0" + b"".join(
        bytes((*(min(part + 4 & ~7, 255) for part in pixel), 255)) if pixel else b"\0\0\0\0" for pixel in line)
        for line in lines)

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", len(lines[0]), len(lines), 8, 6, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(raw, 9)) + chunk(b"IEND", b""))


def text_of(row):
    """The letters of a row, in runs of one colour."""
    parts, column = [], 0
    while column < len(row):
        letter, front, _, bold = row[column]
        end = column
        while end < len(row) and (row[end][1], row[end][3]) == (front, bold):
            end += 1
        run = "".join(" " if cell[0] in BLOCKS else cell[0] for cell in row[column:end])
        if run.strip():
            lead = len(run) - len(run.lstrip())
            style = (f' fill="#{"%02x%02x%02x" % front}"' if front else "") + (' font-weight="bold"' if bold else "")
            word = run.strip()
            parts.append(f'<tspan x="{(column + lead) * WIDTH}" textLength="{len(word) * WIDTH}"{style}>'
                         f"{html.escape(word)}</tspan>")
        column = end
    return "".join(parts)


def drawn(frames, columns, rows, rest, title):
    """Frames lie behind each other, and each is seen in its part of the time."""
    rows = max((number + 1 for _, frame in frames for number, row in enumerate(frame)
                if any(cell[0] != " " or cell[2] for cell in row)), default=rows)
    total = frames[-1][0] + rest
    width, height, shared, pieces, styles = columns * WIDTH, rows * HEIGHT, {}, [], []
    definitions = []
    for number, (start, frame) in enumerate(frames):
        end = frames[number + 1][0] if number + 1 < len(frames) else total
        inside, lines = "", colours(frame[:rows])
        if lines:
            data = base64.b64encode(png(lines)).decode()
            inside += (f'<image width="{width}" height="{height}" preserveAspectRatio="none" '
                       f'href="data:image/png;base64,{data}"/>')
        for y, row in enumerate(frame[:rows]):
            letters = text_of(row)
            if not letters:
                continue
            if letters not in shared:
                shared[letters] = f"t{len(shared)}"
                definitions.append(f'<text id="{shared[letters]}" xml:space="preserve">{letters}</text>')
            inside += f'<use href="#{shared[letters]}" y="{y * HEIGHT + 13}"/>'
        first, last = 100 * start / total, 100 * end / total
        shown = "" if number == 0 else "0%{visibility:hidden}"
        shown += f"{first:.2f}%{{visibility:visible}}"
        shown += "" if number + 1 == len(frames) else f"{last:.2f}%{{visibility:hidden}}"
        styles.append(f"@keyframes k{number}{{{shown}}}.f{number}{{animation-name:k{number}}}")
        pieces.append(f'<g class="f f{number}">{inside}</g>')
    last = len(frames) - 1
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width + 32} {height + 52}" role="img">
<title>{html.escape(title)}</title>
<style>text{{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:#c9d1d9}}
image{{image-rendering:pixelated}}
.f{{visibility:hidden;animation:{total:.2f}s step-end infinite}}
@media (prefers-reduced-motion){{.f{{animation:none}}.f{last}{{visibility:visible}}}}
{"".join(styles)}</style>
<defs>{"".join(definitions)}</defs>
<rect width="100%" height="100%" rx="8" fill="#0d1117"/>
<circle cx="20" cy="18" r="6" fill="#ff5f56"/><circle cx="40" cy="18" r="6" fill="#ffbd2e"/>
<circle cx="60" cy="18" r="6" fill="#27c93f"/>
<g transform="translate(16,40)">{"".join(pieces)}</g>
</svg>
"""


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("\n\n")[2], add_help=True)
    parser.add_argument("out")
    parser.add_argument("--size", default="100x30")
    parser.add_argument("--frames", type=int, default=140)
    parser.add_argument("--rest", type=float, default=4)
    parser.add_argument("--idle", type=float, default=0.8)
    parser.add_argument("--after")
    parser.add_argument("--limit", type=int, default=450000)
    parser.add_argument("--show")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    if not options.command:
        options.command, options.after = ["./demo.sh"], options.after or "[▀▄█]"
    command = options.command
    columns, rows = map(int, options.size.split("x"))
    shown = options.show or " ".join(command)
    frames, most = cut(record(command, columns, rows, shown), options.idle, options.after), options.frames
    while True:
        svg = drawn(chosen(frames, most), columns, rows, options.rest, f"{shown} in a terminal")
        if len(svg.encode()) <= options.limit or most <= 4:
            break
        most = most * 3 // 4
    with open(options.out, "w", encoding="utf-8") as file:
        file.write(svg)
    print(f"{options.out}: {min(most, len(frames))} of {len(frames)} frames, {len(svg.encode())} bytes, "
          f"{frames[-1][0]:.1f} s")


main()
