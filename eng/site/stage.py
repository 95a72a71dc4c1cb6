#!/usr/bin/env python3
"""Writes what docfx builds the site of: copies of the documents, whose links to files that are no pages lead to the
project's home, and tables of contents.

stage.py FOLDER; stage.py --libraries names the projects that have a reference."""
import json
import os
import pathlib
import re
import shutil
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIBRARIES = sorted(path.parent.name for path in ROOT.glob("src/*/PublicAPI.Shipped.txt"))
# The pages, and where they stand. A folder's README.md is its index. Every other page of docs comes last.
NAVIGATION = [
    ("Start", "README.md"), ("Documents", "docs/README.md"), ("Guides", "docs/guides/README.md"),
    ("Errors", "docs/errors/README.md"), ("Reference", "api/"), ("Changes", "CHANGELOG.md"),
]
ALONE = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "CODE_OF_CONDUCT.md", "SECURITY.md", "bench/README.md"]


def property_of(name):
    text = (ROOT / "Directory.Build.props").read_text()
    return re.search(rf"<{name}[^>]*>([^<]*)</{name}>", text)[1]


HOME = os.environ.get("RepositoryUrl") or property_of("RepositoryUrl")
FILES = f"{HOME}/blob/v{property_of('Version')}/"


def pages():
    yield from (ROOT / name for name in ALONE)
    yield from sorted((ROOT / "docs").rglob("*.md"))
    yield from sorted(ROOT.glob("src/*/README.md"))


def placed(path):
    """Where a page stands in the site."""
    name = path.relative_to(ROOT)
    return name.with_name("index.md") if name.name == "README.md" else name


PAGES = {path: placed(path) for path in pages()}


def link(page, target):
    """A link as it is in the site: to another page, or to a file of the project's home."""
    if re.match(r"[a-z]+:|#", target):
        return target
    path, mark, anchor = target.partition("#")
    file = (page.parent / path).resolve()
    if file.is_dir() and file / "README.md" in PAGES:
        file = file / "README.md"
    if file in PAGES:
        return os.path.relpath(PAGES[file], PAGES[page].parent) + mark + anchor
    if file.suffix in (".svg", ".png") and file.is_relative_to(ROOT / "docs"):
        return target
    return FILES + str(file.relative_to(ROOT)) + mark + anchor


def staged(page):
    """The text of a page: links of the site, and blocks without the words that are for tests."""
    lines, fenced = [], False
    for line in page.read_text().split("\n"):
        if line.lstrip().startswith("```"):
            fenced = not fenced
            line = re.sub(r"^(\s*```\w*).*", r"\1", line)
        elif not fenced:
            line = re.sub(r"(\]\()([^)\s]+)(\))", lambda found: found[1] + link(page, found[2]) + found[3], line)
            line = re.sub(r"^(\[[^\]]+\]: )(\S+)$", lambda found: found[1] + link(page, found[2]), line)
        lines.append(line)
    return "\n".join(lines)


def title(page):
    return next(line[2:] for line in page.read_text().split("\n") if line.startswith("# "))


def entry(page, folder, depth=0):
    """A line of a table of contents that stands in a folder."""
    name = json.dumps(title(page), ensure_ascii=False)
    return f"{'  ' * depth}- name: {name}\n{'  ' * depth}  href: {os.path.relpath(PAGES[page], folder)}\n"


def contents():
    """The table beside the pages of docs: the sections of its index, in their order, then what no section names."""
    index = ROOT / "docs/README.md"
    text, seen = entry(index, "docs"), {index}
    for part in index.read_text().split("\n## ")[1:]:
        heading, _, body = part.partition("\n")
        found = [(index.parent / target.partition("#")[0]).resolve() for target in re.findall(r"\]\(([^)\s]+)\)", body)]
        found = [page for page in dict.fromkeys(found) if page in PAGES and page not in seen]
        seen.update(found)
        if found:
            text += f"- name: {json.dumps(heading.strip())}\n  items:\n" + "".join(
                entry(page, "docs", 1) for page in found)
    for folder in ("guides", "errors"):
        first = ROOT / "docs" / folder / "README.md"
        rest = [first] + [page for page in PAGES if page.parent == first.parent and page != first]
        text += f"- name: {folder.capitalize()}\n  items:\n" + "".join(entry(page, "docs", 1) for page in rest)
        seen.update(rest)
    missing = [str(page) for page in PAGES if page.is_relative_to(ROOT / "docs") and page not in seen]
    if missing:
        sys.exit(f"docs/README.md leads to no such pages: {missing}")
    return text


def configuration(out):
    assemblies = [f"src/{name}/bin/Release/net10.0/{name}.dll" for name in LIBRARIES]
    for assembly in assemblies:
        if not (ROOT / assembly).exists():
            sys.exit(f"{assembly} is not there: build it first (./docs.sh without --no-build)")
    return {
        "metadata": [{
            "src": [{"src": str(ROOT), "files": assemblies}],
            "dest": "api", "namespaceLayout": "flattened", "memberLayout": "samePage",
        }],
        "build": {
            "content": [{"files": ["**/*.md", "**/toc.yml", "api/*.yml"]}],
            "resource": [{"files": ["icon.svg", "docs/**/*.svg", "docs/**/*.png"]}],
            "output": str(ROOT / "artifacts/site"),
            "template": ["default", "modern", "template"],
            "globalMetadata": {
                "_appTitle": "NativeIpc", "_appName": "NativeIpc", "_appLogoPath": "icon.svg",
                "_appFaviconPath": "icon.svg", "_enableSearch": True, "_disableContribution": True,
                "_appFooter": f"NativeIpc {property_of('Version')} · {property_of('Copyright')} · MIT",
            },
        },
    }


def main():
    if sys.argv[1] == "--libraries":
        print("\n".join(LIBRARIES))
        return
    out = pathlib.Path(sys.argv[1])
    for page, name in PAGES.items():
        target = out / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(staged(page))
    for picture in [*(ROOT / "docs").rglob("*.svg"), *(ROOT / "docs").rglob("*.png")]:
        target = out / picture.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(picture, target)
    shutil.copy(ROOT / "eng/icon.svg", out / "icon.svg")
    shutil.copytree(ROOT / "eng/site/template", out / "template")
    (out / "toc.yml").write_text("".join(
        f"- name: {name}\n  href: {page if page.endswith('/') else PAGES[ROOT / page]}\n" for name, page in NAVIGATION))
    (out / "docs" / "toc.yml").write_text(contents())
    (out / "docfx.json").write_text(json.dumps(configuration(out), indent=2))


main()
