#!/usr/bin/env python3
"""Looks over the words of the pages for readers: long sentences, pages that are hard to read, pages by question without
a short answer or with many tables, long tables, phrases that say nothing, and words that the glossary
(docs/glossary.md) has another word for, on the pages and in comments of the public surface.

prose.py              prints what it finds, and fails then
prose.py --scores     the score of each page
prose.py --linter     also what write-good says (of npm; kept in ~/.cache/nativeipc), as far as it is asked. Exit code
                      3: there is no npm, or it does not get the linter
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]

# Words a sentence may have, and what a page must reach on average: Flesch's reading ease, from 0 (hard) to 100. Pages
# that list facts for those who build the library are beside this: they are read with the code, or written by tests.
LONGEST = 36
EASE = 60
# Of a page by question (CONTRIBUTING.md): sentences of its answer, tables, and lines of a table as wide as a desk's
# screen, on which a line has some 110 characters.
ANSWER, TABLES, LINES, WIDTH = 2, 1, 60, 110
# Rows of a table on another page.
ROWS = 40
BESIDE = {"docs/design.md", "docs/interop.md", "docs/layouts.md", "docs/memory-order.md", "docs/nipc-in-the-wild.md",
          "docs/nipc-json.md"}

WRITE_GOOD = "1.0.8"
# Not asked for: passives, adverbs and "there is" have their place. Words of the field, or that say what they say:
FINE = {"acquire", "it is", "it was", "several", "many", "maximum", "multiple", "all of", "allocate", "implement",
        "huge", "outside of", "in between", "type of", "few", "however", "so", "advise", "minimum", "attempt"}

# What says nothing, is written for those who know already, or is no English of today.
PHRASES = [
    "simply", "just works", "obviously", "of course", "basically", "needless to say", "it should be noted",
    "please note", "note that", "in order to", "due to the fact", "at this point in time", "utilize", "leverage",
    "seamless", "blazing", "state of the art", "state-of-the-art", "powerful", "cutting-edge", "and so forth",
    "aforementioned", "herein", "thereof", "whereby", "one of ours", "as is well known", "easy to", "very easy",
    "anew", "afresh", "likewise", "thereby", "but for", "in a nutshell", "under the hood", "out of the box",
    "first-class", "world-class", "game changer",
]


def pages():
    yield ROOT / "README.md"
    yield from sorted((ROOT / "docs").rglob("*.md"))
    yield from sorted(ROOT.glob("src/*/README.md"))


def prose(text):
    """The paragraphs and items of a page, each with its line: no code, tables, headings or comments."""
    fenced, comment, start, words = False, False, 0, []
    for number, line in enumerate(text.split("\n") + [""], 1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        if "<!--" in line:
            comment = True
        skipped = fenced or comment or re.match(r"\s*(```|\||#|---|\[[^\]]+\]: |!\[)", line)
        if words and (skipped or not line.strip() or re.match(r"\s*([-*]|\d+\.) ", line)):
            yield start, " ".join(words)
            words = []
        if not skipped and line.strip():
            start = start if words else number
            words.append(re.sub(r"^\s*([-*]|\d+\.) ", "", line).strip())
        if "-->" in line:
            comment = False


def tables(text):
    """The rows of each table."""
    rows, fenced = [], False
    for line in text.split("\n") + [""]:
        fenced ^= line.lstrip().startswith("```")
        if line.startswith("|") and not fenced:
            rows.append(line)
        elif rows:
            yield rows[:1] + rows[2:]
            rows = []


def is_by_question(name, text):
    title = text.split("\n", 1)[0]
    return (title.endswith("?") or title.startswith("# Coming from ")
            or name.startswith(("docs/guides/", "docs/errors/")))


def faults_by_question(text, answer):
    """What a page by question has that it must not have."""
    count = len(re.findall(r"[.!?](?=\s|$)", plain(answer)))
    if count > ANSWER:
        yield f"its answer has {count} sentences, {ANSWER} are wanted"
    found = list(tables(text))
    if len(found) > TABLES:
        yield f"{len(found)} tables, {TABLES} is wanted"
    for rows in found:
        lines = sum(-(-len(plain(row)) // WIDTH) for row in rows)
        if lines > LINES:
            yield f"a table of about {lines} lines, {LINES} are two screens"


def plain(text):
    """What is read aloud: a piece of code is one word, a link its text."""
    text = re.sub(r"`[^`]*`", "code", text)
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
    return re.sub(r"[*_]", "", text)


def sentences(text):
    # A colon, a semicolon and a row of links end a thought as well.
    return [part for part in re.split(r"(?<=[.!?:;·])\s+(?=\S)", text) if re.search(r"\w", part)]


def syllables(word):
    word = re.sub(r"[^a-z]", "", word.lower())
    count = len(re.findall(r"[aeiouy]+", word))
    if word.endswith("e") and not word.endswith(("le", "ee")) and count > 1:
        count -= 1
    return max(count, 1)


def ease(text):
    parts = sentences(text)
    words = re.findall(r"[A-Za-z][\w'-]*", text)
    if len(words) < 60:
        return None
    return 206.835 - 1.015 * len(words) / len(parts) - 84.6 * sum(map(syllables, words)) / len(words)


def not_said():
    """The words of the glossary's last column, each with the word to use."""
    for line in (ROOT / "docs/glossary.md").read_text(encoding="utf-8").split("\n"):
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) == 5 and cells[3] not in ("", "Not", "---"):
            yield from ((word.strip(), cells[1]) for word in cells[3].split(","))


def linted():
    """What write-good finds on the pages, of which it gets nothing but the prose, line by line."""
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    kept = cache / f"nativeipc/write-good-{WRITE_GOOD}"
    program = kept / "node_modules/.bin/write-good"
    if not program.exists():
        npm = shutil.which("npm")
        if not npm or subprocess.run(
                [npm, "install", "--silent", "--no-audit", "--no-fund", "--prefix", kept, f"write-good@{WRITE_GOOD}"],
                check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode != 0:
            print("npm does not give write-good here")
            sys.exit(3)
    with tempfile.TemporaryDirectory() as folder:
        for number, path in enumerate(pages()):
            lines = []
            for line, words in prose(path.read_text(encoding="utf-8")):
                lines += [""] * (line - 1 - len(lines)) + [plain(words)]
            (pathlib.Path(folder) / f"{number}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        names = [str(path.relative_to(ROOT)) for path in pages()]
        said = subprocess.run([program, "--parse", "--no-passive", "--no-adverb", "--no-thereIs",
                               *(f"{number}.txt" for number in range(len(names)))],
                              cwd=folder, check=False, capture_output=True, text=True).stdout
    for number, line, words in re.findall(r"^(\d+)\.txt:(\d+):\d+:(.*)$", said, re.MULTILINE):
        word = re.match(r'"([^"]*)"', words)
        if "code" in words and "repeated" in words:  # two pieces of code, which are one word each here
            continue
        if names[int(number)] not in BESIDE and (not word or word[1].strip().lower() not in FINE):
            yield f"{names[int(number)]}:{line}: {words}"


def public_comments():
    for path in sorted(ROOT.glob("src/NativeIpc*/**/*.cs")):
        if "/obj/" not in str(path) and "/bin/" not in str(path):
            for number, line in enumerate(path.read_text(encoding="utf-8-sig").split("\n"), 1):
                if line.lstrip().startswith("///"):
                    yield path, number, re.sub(r"<[^>]*>", " ", line)


def find(pattern, text):
    return re.search(rf"(?<![\w-]){re.escape(pattern)}(?![\w-])", text, re.IGNORECASE)


def main():
    found, scores = [], []
    others = list(not_said())
    if len(others) < 10:
        found.append("docs/glossary.md: its table was not read")
    for path in pages():
        name = str(path.relative_to(ROOT))
        text, whole = path.read_text(encoding="utf-8"), []
        parts = list(prose(text))
        if is_by_question(name, text):
            found.extend(f"{name}: {fault}" for fault in faults_by_question(text, parts[0][1]))
        found.extend(f"{name}: a table of {len(rows)} rows, {ROWS} are wanted" for rows in tables(text)
                     if len(rows) > ROWS + 1 and name not in BESIDE)
        for line, words in parts:
            words = plain(words)
            whole.append(words)
            found.extend(f"{name}:{line}: say it without '{phrase}'" for phrase in PHRASES
                         if name not in BESIDE and find(phrase, words))
            if name != "docs/glossary.md":
                found.extend(f"{name}:{line}: '{word}' is '{right}' here" for word, right in others
                             if find(word, words))
            for sentence in sentences(words):
                count = len(re.findall(r"[\w'-]+", sentence))
                if count > LONGEST and name not in BESIDE:
                    found.append(f"{name}:{line}: {count} words in one sentence: {sentence[:50]}…")
        score = ease("\n".join(whole))
        if score is not None:
            scores.append((score, name))
            if score < EASE and name not in BESIDE:
                found.append(f"{name}: reading ease {score:.0f}, wanted {EASE}")
    for path, number, words in public_comments():
        found.extend(f"{path.relative_to(ROOT)}:{number}: '{word}' is '{right}' here"
                     for word, right in others if find(word, words))
    if "--scores" in sys.argv:
        print("\n".join(f"{score:5.1f} {name}" for score, name in sorted(scores)))
    if "--linter" in sys.argv:
        found.extend(linted())
    if found:
        print("\n".join(found))
    sys.exit(bool(found))


main()
