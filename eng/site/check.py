#!/usr/bin/env python3
"""Looks whether every link inside a built site leads to a page, and to a place on it that is there.

check.py FOLDER"""
import html.parser
import pathlib
import sys
import urllib.parse


class Page(html.parser.HTMLParser):
    def __init__(self, path):
        super().__init__()
        self.links, self.places = [], set()
        self.feed(path.read_text())

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name in ("href", "src") and value and not urllib.parse.urlparse(value).scheme:
                self.links.append(value)
            elif name in ("id", "name") and value:
                self.places.add(value)


root = pathlib.Path(sys.argv[1]).resolve()
pages = {path: Page(path) for path in root.rglob("*.html")}
broken = []
for path, page in pages.items():
    for link in page.links:
        target, _, place = link.partition("#")
        file = (path.parent / urllib.parse.unquote(target)).resolve() if target else path
        if file.is_dir():
            file /= "index.html"
        if not file.exists() or place and file in pages and urllib.parse.unquote(place) not in pages[file].places:
            broken.append(f"{path.relative_to(root)} -> {link}")
count = sum(len(page.links) for page in pages.values())
if len(pages) < 50 or not (root / "index.json").exists():
    broken.append("there are too few pages, or no index for the search")
print("\n".join(broken + [f"{len(pages)} pages, {count} links, {len(broken)} lead nowhere"]))
sys.exit(bool(broken))
