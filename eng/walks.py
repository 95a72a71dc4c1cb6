#!/usr/bin/env python3
"""Types what docs/start.md says, as a new user does, and compares what is printed with the page: one walk for each way
to start. Prints PASS, FAIL and SKIP lines.

walks.py              here, in a home of its own, with the packages in artifacts/packages that the step pack has made
walks.py --bare       in a bare Debian 12 with the SDK of this machine, as root: everything, packages and packing too.
                      Debian is kept in ~/.cache/nativeipc/bare-12.tar (debootstrap)

A block with the word walk is typed in every walk, walk=NAME in that one; the other words after its language:
    file=NAME     it is this file, from the home
    in=FOLDER     the folder, from the home; in=clone: the repository. Else where the last block ended
    root          what root does: with --bare only
    terminal=1    begins, and goes on while the blocks terminal=2 after it are typed; then Enter is pressed in it
"""
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import threading

ROOT = pathlib.Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/start.md"
# Seconds for a block; bare, one block packs everything from nothing.
PATIENCE = (1800 if "--bare" in sys.argv else 300) * int(os.environ.get("NATIVEIPC_SLOWNESS", "1"))
BLOCK = re.compile(r"^```(\w+)((?: [\w=./-]+)*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MARK = "\x01"


class Stumble(Exception):
    """The page does not lead where it says."""


def blocks():
    for language, words, text in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        words = dict((word.split("=", 1) + [""])[:2] for word in words.split())
        if "walk" in words:
            yield language, words, text


def commands(text):
    """Each command with what the page shows after it."""
    found = []
    for line in text.splitlines():
        if line[:2] in ("$ ", "# "):
            found.append((line[2:], []))
        else:
            found[-1][1].append(line)
    return found


def matches(shown, printed):
    """As in tests/NativeIpc.Guides: a line "…" stands for any lines, "…" in a line for any text; blanks count as
    one."""
    def line_of(line):
        return r"[ \t]+".join(".*".join(map(re.escape, word.split("…"))) for word in line.split()) + r"[ \t]*\n"
    pattern = "".join(r"(?:.*\n)*?" if line.strip() == "…" else line_of(line) for line in shown if line.strip())
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    return re.fullmatch(pattern, "".join(line + "\n" for line in lines)) is not None


class Terminal:
    """A shell that types the commands of one block."""

    def __init__(self, place, text, folder):
        self.commands, self.place = commands(text), place
        script = [f"cd '{folder}' || exit", "exec 2>&1"]
        for number, (command, _) in enumerate(self.commands):
            script += [f"printf '{MARK}%s\\n' {number}", command, 'code=$?; [ $code = 0 ] || exit $code']
        script += [f"printf '{MARK}end %s\\n' \"$PWD\""]
        self.printed, self.seen = [], threading.Condition()
        self.process = subprocess.Popen(place.shell("\n".join(script)), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, encoding="utf-8", errors="replace", env=place.environment)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            with self.seen:
                self.printed.append(line.rstrip("\n"))
                self.seen.notify_all()
        with self.seen:
            self.printed.append(None)
            self.seen.notify_all()

    def parts(self):
        """What each command has printed until now."""
        found, folder = [], None
        for line in self.printed:
            if line is None:
                continue
            if line.startswith(MARK + "end "):
                folder = line[5:]
            elif line.startswith(MARK):
                found.append([])
            elif found:
                found[-1].append(line)
        return ["\n".join(part) for part in found], folder

    def last_has_spoken(self):
        parts, _ = self.parts()
        return None in self.printed or len(parts) == len(self.commands) and matches(self.commands[-1][1], parts[-1])

    def wait_for_words(self):
        with self.seen:
            if not self.seen.wait_for(self.last_has_spoken, PATIENCE):
                self.process.kill()
                raise Stumble(f"nothing as on the page came in {PATIENCE} s:\n" + self.transcript())
            if None in self.printed:
                self.end()  # says what is wrong

    def end(self):
        """Presses Enter and compares everything with the page; returns the folder in which the shell ended."""
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        with self.seen:
            if not self.seen.wait_for(lambda: None in self.printed, PATIENCE):
                self.process.kill()
                raise Stumble(f"it did not end in {PATIENCE} s:\n" + self.transcript())
        self.process.wait()
        parts, folder = self.parts()
        for (command, shown), printed in zip(self.commands, parts):
            if not matches(shown, printed):
                raise Stumble(f"'{command}' printed something else than the page shows:\n" + self.transcript())
        if folder is None or len(parts) < len(self.commands):
            raise Stumble(f"'{self.commands[len(parts) - 1][0]}' failed:\n" + self.transcript())
        return folder

    def transcript(self):
        return "\n".join("    | " + line for line in self.printed if line is not None and not line.startswith(MARK))


class Here:
    """This machine, with a home of its own. Packing is the step pack's part; what NuGet has of others serves."""

    bare, has_begun = False, False

    def __init__(self, work):
        self.home, self.clone = work / "home", ROOT
        self.home.mkdir()
        (work / "packages").mkdir()
        real = pathlib.Path(os.environ.get("NUGET_PACKAGES") or pathlib.Path.home() / ".nuget/packages")
        for package in real.iterdir() if real.is_dir() else ():
            if not package.name.startswith("nativeipc"):
                (work / "packages" / package.name).symlink_to(package)
        self.environment = {**os.environ, "HOME": str(self.home), "NUGET_PACKAGES": str(work / "packages"),
                            "DOTNET_CLI_TELEMETRY_OPTOUT": "1", "DOTNET_NOLOGO": "1", "LC_ALL": "C.UTF-8",
                            "MSBUILDDISABLENODEREUSE": "1", "DOTNET_CLI_USE_MSBUILD_SERVER": "0"}
        self.environment.pop("DOTNET_CLI_HOME", None)

    def shell(self, script):
        feed = 'feed() { mkdir -p "$1" && cp "$2"/artifacts/packages/*.*nupkg "$1" && echo "Done: version packed"; }\n'
        return ["bash", "-c", feed + script.replace("eng/feed.sh ~/nativeipc-feed",
                                                    f"feed ~/nativeipc-feed '{self.clone}'")]

    def write(self, name, text):
        (self.home / name).parent.mkdir(parents=True, exist_ok=True)
        (self.home / name).write_text(text, encoding="utf-8")


class Bare:
    """A bare Debian 12 with the SDK of this machine and a copy of the repository."""

    bare, has_begun = True, False

    def __init__(self, work):
        cache = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
        kept = pathlib.Path(cache) / "nativeipc/bare-12.tar"
        self.root = work / "root"
        if not kept.exists():
            kept.parent.mkdir(parents=True, exist_ok=True)
            run("debootstrap", "--variant=minbase", "bookworm", str(self.root))
            run("tar", "-C", str(self.root), "-cf", str(kept), ".")
        else:
            self.root.mkdir()
            run("tar", "-C", str(self.root), "-xf", str(kept))
        dotnet = pathlib.Path(shutil.which("dotnet")).resolve().parent
        shutil.copytree(dotnet, self.root / "usr/share/dotnet", symlinks=True)
        (self.root / "usr/bin/dotnet").symlink_to("../share/dotnet/dotnet")
        shutil.copy("/etc/resolv.conf", self.root / "etc/resolv.conf")
        # Certificates of a proxy, where this machine has one.
        own = pathlib.Path("/usr/local/share/ca-certificates")
        if own.is_dir():
            shutil.copytree(own, self.root / "usr/local/share/ca-certificates", dirs_exist_ok=True)
        self.home, self.clone = pathlib.Path("/root"), pathlib.Path("/root/NativeIpc")
        clone = self.root / "root/NativeIpc"
        run("git", "clone", "-q", str(ROOT), str(clone))
        passed = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
        self.environment = {"HOME": "/root", "LC_ALL": "C.UTF-8", "TERM": "xterm", "DEBIAN_FRONTEND": "noninteractive",
                            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                            **{name: os.environ[name] for name in passed if name in os.environ}}

    def shell(self, script):
        mounts = ("mount -t proc proc \"$0/proc\" && mount -t tmpfs tmpfs \"$0/dev/shm\" 2>/dev/null; "
                  "for n in null zero urandom random tty; do [ -e \"$0/dev/$n\" ] || touch \"$0/dev/$n\"; "
                  "mount --bind /dev/$n \"$0/dev/$n\"; done; exec chroot \"$0\" bash -c \"$1\"")
        if not hasattr(self, "holder"):
            # One mount and IPC namespace for both terminals.
            self.holder = subprocess.Popen(["unshare", "--ipc", "--mount", "sh", "-c", mounts, str(self.root),
                                            "echo ready; read end"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            self.holder.stdout.readline()
        return ["nsenter", "--target", str(self.holder.pid), "--ipc", "--mount", "--", "chroot", str(self.root), "bash",
                "-c", script]

    def write(self, name, text):
        path = self.root / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def run(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def walk(name, place):
    folder, first = str(place.home), None
    for language, words, text in blocks():
        if words["walk"] not in ("", name) or "root" in words and not place.bare:
            continue
        if place.has_begun and not words["walk"]:
            continue
        if first and words.get("terminal") != "2":
            first.end()
            first = None
        if "file" in words:
            place.write(words["file"], text)
            continue
        if language != "console":
            raise Stumble(f"a block of {language} is no file")
        if "in" in words:
            folder = str(place.clone if words["in"] == "clone" else place.home / words["in"])
        elif folder == str(place.clone):
            folder = str(place.home)
        terminal = Terminal(place, text, folder)
        if words.get("terminal") == "1":
            terminal.wait_for_words()
            first = terminal
        else:
            folder = terminal.end()
    if first:
        first.end()
    place.has_begun = True


def end(place):
    if hasattr(place, "holder"):
        place.holder.stdin.close()
        place.holder.wait()


def main():
    bare = "--bare" in sys.argv[1:]
    names = list(dict.fromkeys(words["walk"] for _, words, _ in blocks() if words["walk"]))
    failed, work = False, tempfile.mkdtemp()
    place = Bare(pathlib.Path(work)) if bare else None  # one for all walks: what they have in common is typed once
    for name in names:
        reason = None
        if platform.system() != "Linux":
            reason = "the page is for Linux"
        elif not bare and not any((ROOT / "artifacts/packages").glob("NativeIpc.Tool.*.nupkg")):
            reason = "no packages: the step pack makes them"
        elif not bare and name == "qt" and subprocess.run(["pkg-config", "--exists", "Qt5Core"], check=False,
                                                          stderr=subprocess.DEVNULL).returncode != 0:
            reason = "no Qt 5 (eng/debian-packages.txt)"
        if reason:
            print(f"SKIP walks: {name}: {reason}")
            continue
        if not bare:
            shutil.rmtree(work, ignore_errors=True)
            os.makedirs(work)
            place = Here(pathlib.Path(work))
        try:
            walk(name, place)
            print(f"PASS walks: {name}", flush=True)
        except Stumble as stumble:
            if re.search("NU1301|Unable to load the service index", str(stumble)):
                print(f"SKIP walks: {name}: NuGet cannot be reached")
            else:
                first, _, rest = str(stumble).partition("\n")
                print(f"FAIL walks: {name}: {first}\n{rest}", flush=True)
                failed = True
    end(place)
    shutil.rmtree(work, ignore_errors=True)
    sys.exit(failed)


main()
