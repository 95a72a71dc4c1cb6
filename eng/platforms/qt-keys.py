#!/usr/bin/env python3
"""Asks a Qt about keys and compares with what is recorded.

    qt-keys.py VERSION VECTORS COMMAND...     the command runs tests/peers/qt/keys.cpp; root, in name spaces of its own

The files of VECTORS hold what Qt 6.8 answered; qt-6.11.json, by file, the cases in which Qt 6.11 answers otherwise.
One line PASS or FAIL per file. With NATIVEIPC_RECORD=1 it writes that file anew instead.
"""
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile

VERSION, VECTORS, *COMMAND = sys.argv[1:]
TYPES = {"posix": 256, "systemv": 81, "windows": 257}
RUNTIME, TEMPORARY = "{runtimeDir}", "{tempDir}"
# ftok.json is about inode numbers of another machine.
FILES = ["key-tostring", "key-fromstring", "key-equality", "platform-safe-key", "legacy-native-key", "key-directories"]


def units(text):
    return [ord(c) for c in text] if all(ord(c) < 0x10000 for c in text) else list(
        memoryview(text.encode("utf-16-le", "surrogatepass")).cast("H"))


def member(case, name):
    """A text of a case; what is no well-formed UTF-16 stands beside it, as numbers."""
    if name + "Utf16" in case:
        return "".join(map(chr, case[name + "Utf16"]))
    return case.get(name, "")


def coded(text):
    return "".join(f"{unit:04x}" for unit in units(text)) or "-"


class Qt:
    """One process of the program, with its environment."""

    def __init__(self, environment, user=0, folder="/"):
        command = COMMAND if user == 0 else ["setpriv", f"--reuid={user}", "--clear-groups", *COMMAND]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=folder,
            env={os.fsencode(k): v if isinstance(v, bytes) else os.fsencode(v) for k, v in environment.items()})

    def ask(self, *words):
        self.process.stdin.write((" ".join(map(str, words)) + "\n").encode())
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def end(self):
        return self.process.communicate()[1]


def put(case, name, text):
    """As the files write a text: an absent legacy key is the empty one."""
    case.pop(name, None)
    case.pop(name + "Utf16", None)
    text = (text or "").replace(FOLDERS[0], RUNTIME).replace(FOLDERS[1], TEMPORARY)
    if any(0xD800 <= ord(c) < 0xE000 for c in text) and text.encode("utf-16", "surrogatepass").decode(
            "utf-16", "replace").count("\ufffd") > text.count("\ufffd"):
        case[name + "Utf16"] = units(text)
    elif name != "legacyKey" or text:
        case[name] = text


def take_key(case, answer, names=("nativeKey", "legacyKey", "toString")):
    case["isValid"] = answer["isValid"]
    case["type"] = answer["type"]
    for name in names:
        put(case, name, answer[name])


def answer_of(file, case, qt):
    """The case as this Qt gives it."""
    new = json.loads(json.dumps(case))
    if file == "key-tostring":
        if case.get("from") == "legacyNativeKey":
            answer = qt.ask("legacystring", case["type"], coded(member(case, "legacyKey")))
            put(new, "nativeKey", answer["nativeKey"])
        else:
            answer = qt.ask("tostring", case["type"], coded(member(case, "nativeKey")))
        new["isValid"] = answer["isValid"]
        put(new, "toString", answer["toString"])
        take_key(new["roundTrip"], answer["roundTrip"])
        new["roundTripEqual"] = answer["roundTripEqual"]
    elif file == "key-fromstring":
        take_key(new, qt.ask("fromstring", coded(member(case, "text"))))
    elif file == "key-equality":
        if case["op"] == "equal":
            new.update(qt.ask("equal", coded(member(case, "a")), coded(member(case, "b"))))
        else:
            steps = []
            for step in case["steps"]:
                steps += ["settype", step["setType"]] if "setType" in step else [
                    "setnative", coded(member(step, "setNativeKey"))]
            take_key(new["result"], qt.ask("mutate", coded(member(case, "text")), *steps))
    else:
        verb = "psk" if file == "platform-safe-key" else "legacy"
        for name, number in TYPES.items():
            answer = qt.ask(verb, number, coded(member(case, "key")))
            put(new["sharedMemory"], name, answer["shm"]["nativeKey"])
            put(new["systemSemaphore"], name, answer["sem"]["nativeKey"])
        if "sameAsQt5" in case:
            new["sameAsQt5"] = (new["sharedMemory"]["systemv"] == case["qt5"]["sharedMemory"]
                                and new["systemSemaphore"]["systemv"] == case["qt5"]["systemSemaphore"])
    return new


def kind_and_mode(path):
    status = os.lstat(path)
    kind = "d" if stat.S_ISDIR(status.st_mode) else "l" if stat.S_ISLNK(status.st_mode) else "f"
    return f"{kind}{stat.S_IMODE(status.st_mode):o}"


def arrange(arrangement, base):
    for step in filter(None, arrangement.split("; ")):
        kind, name = step.split(" ")
        path = os.path.join(base, name)
        if kind == "link":
            os.symlink(os.path.join(base, "real"), path)
        elif kind == "foreign":
            os.chown(path, 12345, 12345)
        elif kind == "byteE9":
            os.mkdir(os.fsencode(path) + b"\xe9")
        elif kind[0] == "d":
            os.makedirs(path, exist_ok=True)
            os.chmod(path, int(kind[1:], 8))
        else:
            open(path, "w").close()
            os.chmod(path, int(kind[1:], 8))


def entries(base):
    found = set()
    for root in (base, "/tmp"):
        for name in os.listdir(root):
            for path in [name] + [os.path.join(name, below) for below in (
                    os.listdir(os.path.join(root, name)) if os.path.isdir(os.path.join(root, name)) else [])]:
                found.add(path if root == base else os.path.join("/tmp", path))
    return found


def directories(case):
    base = os.path.realpath(tempfile.mkdtemp(dir=BASE))
    os.chmod(base, 0o755)
    arrange(case["arrangement"], base)
    environment = {"LC_ALL": "C.UTF-8"}
    for name, value in case["environment"].items():
        environment[name] = value.replace("{base}", base)
    if "note" in case and "byte E9" in case["note"]:
        environment["TMPDIR"] = os.fsencode(environment["TMPDIR"].replace("?", "")) + b"\xe9"
    before = entries(base)
    qt = Qt(environment, case.get("uid", 0), base)
    new = json.loads(json.dumps(case))

    def say(name, text):
        new[name] = (text or "").replace(base, "{base}")

    folders = qt.ask("dirs")
    say("tempPath", folders["temp"])
    say("runtimePath", folders["runtime"])
    say("platformSafe", qt.ask("psk", 81, coded("myapp"))["shm"]["nativeKey"])
    say("platformSafeAbsolute", qt.ask("psk", 81, coded("/abs"))["shm"]["nativeKey"])
    say("legacy", qt.ask("legacy", 81, coded("myapp"))["shm"]["nativeKey"])
    new["warned"] = len(qt.end()) > 0
    made = sorted(entries(base) - before)
    new.pop("createdDirs", None)
    if made:
        new["createdDirs"] = {path: kind_and_mode(os.path.join(base, path)) for path in made}
    if "runtimeDirModeAfter" in case:
        new["runtimeDirModeAfter"] = kind_and_mode(
            os.path.join(base, environment["XDG_RUNTIME_DIR"].rstrip("/")))
    shutil.rmtree(base)
    for name in os.listdir("/tmp"):
        shutil.rmtree(os.path.join("/tmp", name))
    return new


def main():
    os.makedirs(FOLDERS[0], mode=0o700, exist_ok=True)
    os.makedirs(FOLDERS[1], exist_ok=True)
    keys = Qt({"XDG_RUNTIME_DIR": FOLDERS[0], "TMPDIR": FOLDERS[1], "LC_ALL": "C.UTF-8"})
    path = os.path.join(VECTORS, "qt-6.11.json")
    recorded = json.load(open(path, encoding="ascii")) if os.path.exists(path) else {}
    found = {"generatedBy": f"Qt {VERSION} of Debian's unstable on x86-64"}
    failed = False
    for file in FILES:
        with open(os.path.join(VECTORS, file + ".json"), encoding="ascii") as text:
            cases = json.load(text)["cases"]
        known = {entry["case"]: entry["answer"] for entry in recorded.get(file, [])}
        found[file], wrong = [], []
        for number, case in enumerate(cases):
            answer = directories(case) if file == "key-directories" else answer_of(file, case, keys)
            if answer != case:
                found[file].append({"case": number, "answer": answer})
            if answer != known.get(number, case):
                wrong.append(json.dumps(answer))
        failed |= bool(wrong)
        if os.environ.get("NATIVEIPC_RECORD") != "1":
            where = f"Qt {VERSION}: {file}"
            print(f"FAIL {where}: {len(wrong)} of {len(cases)} are not as recorded, first {wrong[0]}" if wrong
                  else f"PASS {where}: {len(cases)} cases, {len(found[file])} otherwise than Qt 6.8")
    keys.end()
    if os.environ.get("NATIVEIPC_RECORD") == "1":
        lines = ",\n".join(
            f' "{name}": ' + (json.dumps(value) if isinstance(value, str) else "[" + ",".join(
                "\n  " + json.dumps(entry) for entry in value) + ("\n ]" if value else "]"))
            for name, value in found.items())
        with open(path, "w", encoding="ascii") as text:
            text.write("{\n" + lines + "\n}\n")
        print(f"PASS Qt {VERSION}: recorded in {path}")
    return 1 if failed and os.environ.get("NATIVEIPC_RECORD") != "1" else 0


BASE = "/var/tmp"  # and /tmp: both empty, and of these name spaces only
FOLDERS = (BASE + "/run-user", BASE + "/temp_folder")
sys.exit(main())
