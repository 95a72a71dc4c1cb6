#!/usr/bin/env python3
"""Looks over the words of the pages for readers: long sentences, pages that are hard to read, phrases that say nothing,
and words that the glossary (docs/glossary.md) has another word for, on the pages and in comments of the public surface.

prose.py              prints what it finds, and fails then
prose.py --scores     the score of each page
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]

# Words a sentence may have, and what a page must reach on average: Flesch's reading ease, from 0 (hard) to 100. Pages
# that list facts for those who build the library are beside this: they are read with the code, or written by tests.
LONGEST = 36
EASE = 60
BESIDE = {"docs/design.md", "docs/interop.md", "docs/layouts.md", "docs/nipc-in-the-wild.md", "docs/nipc-json.md"}

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
        for line, words in prose(text):
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
    if found:
        print("\n".join(found))
    sys.exit(bool(found))


main()
