#!/usr/bin/env python3
"""Builds the C peer and the Qt peer with what this system has, and meets each with the built NativeIpc.Peer: segments,
their lock and semaphores, made by either side. For systems that eng/peers.sh does not know, as macOS with Homebrew's Qt
in .github/workflows/ci.yml; runs on Linux as well.

    eng/peers-here.py        one line per check, PASS, FAIL or SKIP; fails when one failed, or with CI=true when a peer
                             is missing

Needs a C and a C++ compiler; for Qt, pkg-config with Qt6Core, or brew with qt. Before 6.6 Qt has no key text; then the
Qt 6.8 of eng/peers.sh is taken, where that has made it. The solution is built (Release)."""
import os
import shutil
import subprocess
import sys
import tempfile
import threading

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OURS = [os.path.join(ROOT, "tests/NativeIpc.Peer/bin/Release/net10.0/NativeIpc.Peer")]
ROUNDS = 2000
# How many times slower than an idle machine this one is, as test.sh measures it.
SLOWNESS = int(os.environ.get("NATIVEIPC_SLOWNESS", "1"))
failures = 0


def say(result, what, why=""):
    global failures
    failures += result == "FAIL"
    print(f"{result} peers-here: {what}{': ' + why if why else ''}", flush=True)


class Peer:
    """A process that speaks tests/peers/PROTOCOL.md. Ends with its context; a silent one is ended
    after two minutes of an idle machine."""

    def __init__(self, words):
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.watchdog = threading.Timer(120 * SLOWNESS, self.process.kill)
        self.watchdog.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()
        self.watchdog.cancel()

    def send(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def answer(self):
        line = self.process.stdout.readline().strip()
        return self.answer() if line in ("locking", "acquiring", "opening") else line

    def ask(self, line):
        self.send(line)
        answer = self.answer()
        if not answer.startswith("ok"):
            raise AssertionError(f"'{line}' was answered by '{answer}'")
        return answer.split()[1:]


def meet(maker, user, key):
    """One makes, the other one opens; both add under the lock at the same time, and pass permits."""
    with Peer(maker) as one, Peer(user) as two:
        one.ask(f"shm create s {key}s 4096")
        two.ask(f"shm open s {key}s rw")
        one.ask("shm write s 16 00ff10")
        assert two.ask("shm read s 16 3") == ["00ff10"], "bytes differ"
        for peer in (one, two):
            peer.send(f"shm add s 0 {ROUNDS}")
        for peer in (one, two):
            assert peer.answer() == "ok", "adding under the lock failed"
        total = int.from_bytes(bytes.fromhex(one.ask("shm read s 0 4")[0]), sys.byteorder)
        assert total == 2 * ROUNDS, f"{total} additions of {2 * ROUNDS}"
        one.ask(f"sem create c {key}c 1")
        two.ask(f"sem open c {key}c")
        two.ask("sem acquire c")
        one.send("sem acquire c")
        two.ask("sem release c")
        assert one.answer() == "ok", "the permit did not come"
        one.ask("sem release c")
        for peer in (two, one):
            peer.ask("sem close c")
            peer.ask("shm close s")


def remove(key):
    """What a C program made stays, and what a failed check made may. Missing is no failure."""
    with Peer(OURS) as peer:
        peer.ask(f"shm remove {key}s")
        peer.ask(f"sem remove {key}c")


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def flags_of_qt():
    try:
        return output("pkg-config", "--cflags", "--libs", "Qt6Core").split()
    except (OSError, subprocess.CalledProcessError):
        pass
    try:
        library = output("brew", "--prefix", "qt").strip() + "/lib"
    except (OSError, subprocess.CalledProcessError):
        return None
    return [f"-F{library}", f"-I{library}/QtCore.framework/Headers", "-framework", "QtCore", f"-Wl,-rpath,{library}"]


def qt_of_peers():
    """The words that start the Qt 6.8 peer of eng/peers.sh; None without."""
    cache = os.environ.get("NATIVEIPC_CACHE") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.join(os.environ["HOME"], ".cache"), "nativeipc")
    try:
        with open(os.path.join(cache, "peers/index.tsv"), encoding="utf-8") as index:
            lines = [line.rstrip("\n").split("\t") for line in index]
    except OSError:
        return None
    return next((words[3:] for words in lines if words[:2] == ["qt6.8", "ok"]), None)


def build(name, folder):
    """The words that start a peer; None, and a line that says why, when there is none."""
    source = os.path.join(ROOT, "tests/peers", "c/peer.c" if name == "C" else "qt/peer.cpp")
    compiler = shutil.which("cc" if name == "C" else "c++")
    flags = [] if name == "C" else flags_of_qt()
    words = None
    if compiler is not None and flags is not None:
        words = [os.path.join(folder, name)]
        standard = "-std=c11" if name == "C" else "-std=c++17"
        built = subprocess.run([compiler, standard, "-fPIC", "-O1", "-o", *words, source, *flags], capture_output=True,
                               text=True)
        if built.returncode != 0:
            say("FAIL", f"{name} builds", built.stderr.strip().replace("\n", " ")[:2000])
            return None
    version = output(*words, "--version").strip() if words else ""
    if name == "Qt" and (not words or tuple(map(int, version.split()[1].split(".")[:2])) < (6, 6)):
        words = qt_of_peers()
        version = output(*words, "--version").strip() if words else ""
    if words is None:
        say("FAIL" if os.environ.get("CI") == "true" else "SKIP", name, "it is not installed here, or too old")
        return None
    say("PASS", f"{name} starts", version)
    return words


with tempfile.TemporaryDirectory(prefix="nipc-") as folder:
    for name in ("C", "Qt"):
        program = build(name, folder)
        if program is None:
            continue
        # Short: macOS takes 31 bytes for a name, and its lock needs one of its own.
        for number, (kind, key) in enumerate((("posix", f"posix:/h{os.getpid() % 100000}"),
                                              ("systemv", f"systemv:{folder}/k"))):
            for maker, user, order in ((OURS, program, "we make"), (program, OURS, f"{name} makes")):
                what = f"{name}, {kind}, {order}"
                objects = f"{key}{number}{name[0]}{order[0]}"
                try:
                    meet(maker, user, objects)
                    say("PASS", what)
                except (AssertionError, ValueError) as failure:
                    say("FAIL", what, str(failure))
                finally:
                    remove(objects)
sys.exit(1 if failures else 0)
