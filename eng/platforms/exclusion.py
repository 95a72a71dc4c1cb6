#!/usr/bin/env python3
"""Programs of different C libraries under one lock, and at one semaphore, with exact counts.

    exclusion.py ADDITIONS INDEX MUSL GLIBC

MUSL and GLIBC are NativeIpc.Peer on those; INDEX is the list that eng/peers.sh writes, whose programs join where they
have the object. Each program adds ADDITIONS times to one number, in three steps that another one would
spoil, under the lock of its segment. Then one of the two takes as many permits as a third program gives. A line PASS or
FAIL for each, and SKIP for each program that is missing. The protocol: tests/peers/PROTOCOL.md.
"""
import os
import subprocess
import sys
import tempfile

# Those with a lock under the key of ours (docs/interop.md). A semaphore has another name with musl.
LOCKERS = {"posix": ("c", "qt6.8", "boost", "python"), "systemv": ("c", "c-musl", "qt6.8", "python", "perl")}


class Peer:
    def __init__(self, name, words):
        self.name = name
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def say(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    def hear(self):
        line = self.process.stdout.readline().rstrip("\n")
        if not line or line.startswith("error"):
            raise RuntimeError(f"{self.name} said {line!r}")
        return line

    def ask(self, command):
        self.say(command)
        return self.hear()

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def others(index, names):
    """Those that are there, with the words that start them; and those that are not, each with the reason."""
    with open(index, encoding="utf-8") as file:
        lines = {line[0]: line[1:] for line in (line.rstrip("\n").split("\t") for line in file)}
    here = [(name, lines[name][2:]) for name in names if lines.get(name, [""])[0] == "ok"]
    missing = [(name, lines[name][1] if name in lines else "eng/peers.sh does not name it")
               for name in names if lines.get(name, [""])[0] != "ok"]
    return here, missing


def under_one_lock(key, additions, programs):
    peers = [Peer(name, words) for name, words in programs]
    peers[0].ask(f"shm create a {key} 64")
    peers[0].ask("shm write a 0 00000000")
    for peer in peers[1:]:
        peer.ask(f"shm open a {key} rw")
    for peer in peers:
        peer.say(f"shm add a 0 {additions}")
    for peer in peers:
        while peer.hear() == "locking":
            pass
    count = int.from_bytes(bytes.fromhex(peers[0].ask("shm read a 0 4").split()[1]), sys.byteorder)
    for peer in reversed(peers):
        peer.ask("shm close a")
        peer.end()
    return count, additions * len(peers)


def permits(number, maker, taker, giver):
    """Each is a program and the key that it knows the semaphore by."""
    (maker, own), (taker, taken), (giver, given) = (
        (Peer(*program), key) for program, key in (maker, taker, giver))
    maker.ask(f"sem create s {own} 0")
    taker.ask(f"sem open s {taken}")
    giver.ask(f"sem open s {given}")
    taker.say(f"sem acquire s {number}")
    giver.ask(f"sem produce s {number}")
    while taker.hear() == "acquiring":
        pass
    left = maker.ask("sem value s")
    for peer in (giver, taker, maker):
        peer.ask("sem close s")
        peer.end()
    return left, "ok 0"


def main(additions, index, musl, glibc):
    musl, glibc = ("musl", [musl]), ("glibc", [glibc])
    c, without_c = others(index, ("c",))
    folder = tempfile.mkdtemp()
    checks = []
    for kind in ("posix", "systemv"):
        key = "posix:/both" if kind == "posix" else f"systemv:{folder}/both"
        joined, missing = others(index, LOCKERS[kind])
        for name, reason in missing:
            print(f"SKIP {kind}: {name} at the lock of musl and glibc: {reason}", flush=True)
        title = ", ".join(name for name, _ in joined)
        for one, other in ((musl, glibc), (glibc, musl)):
            checks.append((f"{kind}: one lock of {one[0]}, which makes it, {other[0]}, {title}",
                           lambda one=one, other=other, key=key, joined=joined:
                           under_one_lock(key, additions, [one, other, *joined])))
    # On musl glibc's semaphore NAME is called sem.NAME.
    keys = {"musl": "posix:/sem.permits", "glibc": "posix:/permits", "c": "posix:/permits"}
    for name, reason in without_c:
        print(f"SKIP posix: {name} at a semaphore of musl or glibc: {reason}", flush=True)
    with_c = [(musl, program) for program in c] + [(program, musl) for program in c]
    for maker in (musl, glibc):
        for taker, giver in [(musl, glibc), (glibc, musl), *with_c]:
            checks.append((f"posix: a semaphore of {maker[0]}: {taker[0]} takes what {giver[0]} gives",
                           lambda trio=(maker, taker, giver):
                           permits(additions, *((program, keys[program[0]]) for program in trio))))
    for title, check in checks:
        try:
            seen, expected = check()
            print(f"PASS {title}" if seen == expected else f"FAIL {title}: {seen}, not {expected}", flush=True)
        except (RuntimeError, OSError, ValueError) as failure:
            print(f"FAIL {title}: {failure}", flush=True)
    os.rmdir(folder)


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
