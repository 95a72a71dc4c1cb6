"""What nipc-list.sh measures; it starts this inside namespaces of its own. Arguments: LSIPC NIPC [COUNT...]."""
import ctypes
import os
import resource
import shutil
import statistics
import struct
import sys
import time

ROUNDS = 11
FOLDER = "/dev/shm"
LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.mmap.restype = ctypes.c_void_p
LIBC.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]


def make(first, last):
    """Makes objects first to last - 1, semaphores and segments by turns."""
    for number in range(first, last):
        name = f"sem.bench{number:06}" if number % 2 else f"bench{number:06}"
        with open(f"{FOLDER}/{name}", "wb") as file:
            if number % 2:
                file.write(struct.pack("<Q24x", 1))
            else:
                file.truncate(4096)


def hold_all():
    """Starts a process that has each object open, as many as may be by a descriptor, the rest by a mapping. Gives its
    number and the pipe that ends it."""
    end, ours = os.pipe()
    ready, told = os.pipe()
    process = os.fork()
    if process == 0:
        try:
            os.close(ours)
            hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            mappings = []
            for number, entry in enumerate(os.scandir(FOLDER)):
                file = os.open(entry.path, os.O_RDWR)
                if number >= hard - 100:
                    mappings.append(mmap(file))
                    os.close(file)
            os.write(told, b"+")
            os.read(end, 1)
        finally:
            os._exit(0)
    os.close(end)
    os.close(told)
    if os.read(ready, 1) != b"+":
        sys.exit("The process that holds the objects could not open them.")
    return process, ours


def mmap(file):
    """Maps a file, and keeps no descriptor of it, as Python's own mmap does."""
    memory = LIBC.mmap(None, 32, 3, 1, file, 0)
    if memory == ctypes.c_void_p(-1).value:
        raise OSError(ctypes.get_errno(), "mmap")
    return memory


def run(command):
    """Runs a command. Gives its wall time, its processor time (s), its peak memory (MiB) and its lines."""
    output = os.open("/tmp/nipc-list.out", os.O_CREAT | os.O_TRUNC | os.O_RDWR, 0o600)
    nothing = os.open("/dev/null", os.O_WRONLY)
    start = time.monotonic()
    process = os.posix_spawn(command[0], command, os.environ, file_actions=[
        (os.POSIX_SPAWN_DUP2, output, 1), (os.POSIX_SPAWN_DUP2, nothing, 2)])
    _, _, usage = os.wait4(process, 0)
    wall = time.monotonic() - start
    with open(output, "rb") as file:
        file.seek(0)
        lines = file.read().count(b"\n")
    os.close(nothing)
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, lines


def compare(title, commands, target):
    """Runs each command once per round, in turn. Prints a row for each; the first but one is the peer of the ratio."""
    commands = [(name, command) for name, command in commands if command]
    results = {name: [] for name, _ in commands}
    for name, command in commands:
        run(command)
    for _ in range(ROUNDS):
        for name, command in commands:
            results[name].append(run(command))
    ours = results[commands[0][0]]
    for name, _ in commands:
        rows = results[name]
        ratio = "" if rows is ours else "%.2f wall, %.2f CPU" % tuple(
            statistics.median(our[at] / max(their[at], 1e-4) for our, their in zip(ours, rows)) for at in (0, 1))
        print("%-34s %-26s %8.1f %8.1f %7.1f %7d  %s" % (
            title, name, 1000 * statistics.median(row[0] for row in rows),
            1000 * statistics.median(row[1] for row in rows),
            max(row[2] for row in rows), rows[-1][3], ratio), flush=True)
        title = ""
    print("%-34s target: %s" % ("", target))


def found(program, *arguments):
    path = shutil.which(program)
    return [path, *arguments] if path else None


def main():
    lsipc = sys.argv[1].split()
    nipc = os.path.realpath(sys.argv[2])
    counts = [int(count) for count in sys.argv[3:]] or [100, 5000, 50000]

    # lsipc lists POSIX segments and semaphores in two runs.
    both = ["/bin/sh", "-c", 'ld=$*; $ld -M && $ld -S', "sh", *lsipc] if lsipc else None
    print("%-34s %-26s %8s %8s %7s %7s  %s" % ("", "", "wall ms", "CPU ms", "MiB", "lines", "nipc beside it"))
    compare("start", [("nipc --version", [nipc, "--version"]), ("ipcs", found("ipcs", "-m"))], "3 x ipcs")
    have = 0
    for count in counts:
        make(have, count)
        have = count
        text = f"{count:,}"
        compare(f"{text} open nowhere", [("nipc list", [nipc, "list"]), ("lsipc -M, lsipc -S", both)],
                "2 x lsipc, 3 x with the counts of semaphores")
        compare(f"{text} --no-attachments", [("nipc list --no-attachments", [nipc, "list", "--no-attachments"]),
                                             ("lsipc -M, lsipc -S", both)], "1.2 x lsipc")
        holder, end = hold_all()
        compare(f"{text} open in one process", [("nipc list", [nipc, "list"]), ("lsof", found("lsof", "-nPw", FOLDER))],
                "1.0 x lsof")
        os.close(end)
        os.waitpid(holder, 0)
    print("peak memory at 50,000 objects: target 60 MiB; the native file: %.2f MB, target 6" % (
        os.path.getsize(nipc) / 1e6))


main()
