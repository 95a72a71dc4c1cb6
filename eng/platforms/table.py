#!/usr/bin/env python3
"""What ./platforms.sh counts and writes.

    table.py xunit NAME FILE CODE       lines of a recipe (lib.sh) from a result file of xunit
    table.py lines NAME LOG CODE        the same from lines that begin with PASS, FAIL or SKIP
    table.py row DOCUMENT NAME LINES COMMIT
                                        puts the row of a platform, made of a recipe's lines, into the document's table;
                                        COMMIT is what the run was built from
    table.py counts DOCUMENT LOG TIMES  writes the table of instructions on arm64 from a log of the emulated machine,
                                        beside the ratios of times on x64 (bench/results.tsv)
    table.py places DOCUMENT FOLDER     writes the table of containers.sh from what NativeIpc.Peer --essentials said
"""
import datetime
import os
import re
import sys
import xml.etree.ElementTree


def one_line(text):
    return re.sub(r"\s+", " ", text or "").strip()[:400]


def report(name, passed, failures, skips, code, skipped=None):
    if code in (124, 137):
        failures.append(f"{name}: the watchdog ended it")
    elif passed + len(failures) + len(skips) == 0:
        failures.append(f"{name}: it ran no test and ended with {code}")
    elif code != 0 and not failures:
        failures.append(f"{name}: it ended with {code} although no test failed")
    for text in failures:
        print("FAIL", text)
    for text in skips:
        print("SKIP", text)
    print("RAN", name, passed, len(failures), len(skips), sep="\t")


def xunit(name, path, code):
    passed, failures, skips = 0, [], []
    if os.path.exists(path) and os.path.getsize(path):
        for element in xml.etree.ElementTree.parse(path).getroot().iter():
            title = element.get("name") or element.get("type")
            message = one_line(element.findtext(".//message"))
            result = element.get("result") if element.tag == "test" else None
            passed += result == "Pass"
            if result == "Skip":
                skips.append(f"{title}: {one_line(element.findtext('reason'))}")
            if result == "Fail" or element.tag == "error":
                failures.append(f"{title}: {message}")
    report(name, passed, failures, skips, code)


def lines(name, log, code):
    with open(log, encoding="utf-8", errors="replace") as file:
        said = [line.rstrip("\r\n") for line in file]
    report(name, sum(line.startswith("PASS ") for line in said),
           [line[5:] for line in said if line.startswith("FAIL ")],
           [line[5:] for line in said if line.startswith("SKIP ")], code)


def row(document, name, path, commit):
    facts, emulator, ran = None, "–", []
    with open(path, encoding="utf-8") as file:
        for line in file:
            words = line.rstrip("\n").split("\t")
            if words[0] == "FACTS":
                facts = words[1:]
            elif words[0] == "EMULATOR":
                emulator = words[1]
            elif words[0] == "RAN":
                ran.append((words[1], *map(int, words[2:])))
    if facts is None or len(facts) != 4:
        sys.exit(f"{name}: the run did not say what it ran on, so there is no row.")
    what = ", ".join(f"{suite} {passed}" for suite, passed, _, _ in ran)
    passed, failed, skipped = (sum(column) for column in list(zip(*ran))[1:])
    kernel, library, runtime, machine = facts
    cells = [f"`{name}`", kernel, library, runtime, machine, emulator, what, str(passed), str(failed), str(skipped),
             datetime.date.today().isoformat(), f"`{commit}`" if commit != "-" else "–"]
    with open(document, encoding="utf-8") as file:
        text = file.read().split("\n")
    new = "| " + " | ".join(cells) + " |"
    start = next(i for i, line in enumerate(text) if line.startswith("| Platform"))
    end = next(i for i in range(start, len(text) + 1) if i == len(text) or not text[i].startswith("|"))
    rows = [line for line in text[start + 2:end] if not line.startswith(f"| `{name}` |")] + [new]
    text[start + 2:end] = sorted(rows, key=order)
    with open(document, "w", encoding="utf-8") as file:
        file.write("\n".join(text))


def places(document, folder):
    rows = []
    for name in sorted(os.listdir(folder)):
        if not name.endswith(".place"):
            continue
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            title, what, *said = file.read().rstrip("\n").split("\n")
        cells, reasons = {}, {}
        for key_type in ("posix", "systemv"):
            steps = [line.split("\t") for line in said if line.startswith(key_type + "\t")]
            bad = [words for words in steps if words[2] != "ok"]
            for words in bad:
                reason = re.sub(r"(nativeipc-|snap\.nativeipc\.)[0-9a-f]+-\d+", "NAME", one_line(words[3]))
                reason = re.sub(r"^\w+: |the other process says: error \w+ |\(native key [^)]*\)", "", reason)
                reason = re.split(r"(?<=[a-z)])[.:] ", reason.replace("|", "\\|"))
                reason = re.sub(r" \(which.*", "", ": ".join(reason[:2]))
                reasons.setdefault(reason, []).append(f"{key_type} {words[1]}")
            cells[key_type] = "–" if not steps else "all" if not bad else "no" if len(bad) == len(steps) else (
                "all but " + ", ".join(words[1] for words in bad))
        otherwise = "; ".join(f"{', '.join(steps)}: {reason}" for reason, steps in reasons.items())
        rows.append(f"| {title} | {what} | {cells['posix']} | {cells['systemv']} | {otherwise} |")
    with open(document, encoding="utf-8") as file:
        text = file.read().split("\n")
    start = next(i for i, line in enumerate(text) if line.startswith("| Where"))
    end = next(i for i in range(start, len(text) + 1) if i == len(text) or not text[i].startswith("|"))
    text[start + 2:end] = rows
    text = [f"Run on {datetime.date.today().isoformat()}, Linux {os.uname().release}." if line.startswith("Run on ")
            else line for line in text]
    with open(document, "w", encoding="utf-8") as file:
        file.write("\n".join(text))


def counts(document, log, times):
    said = {}
    with open(log, encoding="utf-8", errors="replace") as file:
        for line in file:
            words = line.rstrip("\r\n").split("\t")
            if words[0] == "COUNT":
                said.setdefault(words[2], {})[words[1]] = float(words[3])
    with open(times, encoding="utf-8") as file:
        on_x64 = {words[0]: words[6] for words in (line.rstrip("\n").split("\t") for line in file)
                  if words[1:2] == ["aot"]}  # the first line names the machine
    rows = [(name, both["yard_c"], both["NativeIpc.Yardstick"]) for name, both in said.items()
            if len(both) == 2 and not name.endswith(("_left", ".cpu"))]
    if not rows:
        sys.exit("No operation was counted for both programs, so there is no table.")
    table = [f"Counted on {datetime.date.today().isoformat()} by `./platforms.sh arm64-count`.", "",
             "| Operation | C | ours, AOT | ratio | ratio of times on x64 |", "|---|---|---|---|---|"]
    table += [f"| `{name}` | {c:.0f} | {ours:.0f} | {ours / c:.2f}× | "
              f"{float(on_x64[name]):.2f}× |" if on_x64.get(name) else
              f"| `{name}` | {c:.0f} | {ours:.0f} | {ours / c:.2f}× | – |" for name, c, ours in rows]
    with open(document, encoding="utf-8") as file:
        text = file.read().split("\n")
    start = next(i for i, line in enumerate(text) if line.startswith("<!-- arm64: begin"))
    end = next(i for i, line in enumerate(text) if line.startswith("<!-- arm64: end"))
    text[start + 1:end] = table
    with open(document, "w", encoding="utf-8") as file:
        file.write("\n".join(text))


def order(line):
    """As ./platforms.sh lists them."""
    with open("platforms.sh", encoding="utf-8") as file:
        names = re.findall(r"^(\S+) +\S+\.sh", file.read(), re.MULTILINE)
    name = line.split("`")[1]
    return names.index(name) if name in names else len(names)


if __name__ == "__main__":
    verb, *words = sys.argv[1:]
    if verb in ("row", "places", "counts"):
        {"row": row, "places": places, "counts": counts}[verb](*words)
    else:
        {"xunit": xunit, "lines": lines}[verb](words[0], words[1], int(words[2]))
