"""Python: multiprocessing.shared_memory, sysv_ipc where it is installed, and the C library's semaphores by ctypes.

Called as `yard.py PREFIX...` (or --list); prints name<TAB>value lines, as the other yardsticks do."""
import ctypes
import mmap
import os
import signal
import statistics
import struct
import sys
import time
from multiprocessing import resource_tracker, shared_memory

try:
    import sysv_ipc
except ImportError:
    sysv_ipc = None

libc = ctypes.CDLL(None, use_errno=True)
libc.sem_open.restype = ctypes.c_void_p
libc.sem_open.argtypes = [ctypes.c_char_p, ctypes.c_int, ctypes.c_uint, ctypes.c_uint]
libc.sem_unlink.argtypes = [ctypes.c_char_p]
for function in ("sem_wait", "sem_trywait", "sem_post", "sem_close"):
    getattr(libc, function).argtypes = [ctypes.c_void_p]
now = time.monotonic_ns
BIG = 64 << 20
FOLDER = os.environ.get("XDG_RUNTIME_DIR", "/tmp")


class PosixSemaphore:
    def __init__(self, name, count=None):
        self.name = b"/yard_py_" + name.encode()
        flags = os.O_CREAT | os.O_EXCL if count is not None else 0
        self.handle = libc.sem_open(self.name, flags, 0o600, count or 0)
        if not self.handle:
            raise OSError(ctypes.get_errno(), "sem_open")

    def calls(self):
        s, wait, post, attempt = self.handle, libc.sem_wait, libc.sem_post, libc.sem_trywait
        return lambda: wait(s), lambda: post(s), lambda: attempt(s)

    def close(self):
        libc.sem_close(self.handle)

    def remove(self):
        libc.sem_unlink(self.name)


def key_of(name, make):
    path = f"{FOLDER}/yard_py_{name}"
    if make:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    return path, sysv_ipc.ftok(path, 0x51, silence_warning=True)


class SystemVSemaphore:
    def __init__(self, name, count=None):
        self.path, key = key_of(name, count is not None)
        self.semaphore = (sysv_ipc.Semaphore(key, sysv_ipc.IPC_CREX, initial_value=count) if count is not None
                          else sysv_ipc.Semaphore(key))

    def calls(self):
        return self.semaphore.acquire, self.semaphore.release, None

    def close(self):
        pass

    def remove(self):
        self.semaphore.remove()
        os.unlink(self.path)


class PosixSegment:
    def __init__(self, name, size=None):
        self.memory = shared_memory.SharedMemory("yard_py_" + name, size is not None, size or 0)
        self.view = self.memory.buf

    def close(self):
        self.view = None
        self.memory.close()

    def remove(self):
        self.memory.unlink()


class SystemVSegment:
    def __init__(self, name, size=None):
        self.path, key = key_of(name, size is not None)
        self.memory = (sysv_ipc.SharedMemory(key, sysv_ipc.IPC_CREX, size=size, init_character=b"\0") if size
                       else sysv_ipc.SharedMemory(key))
        self.view = memoryview(self.memory)

    def close(self):
        self.view.release()
        self.memory.detach()

    def remove(self):
        self.memory.remove()
        os.unlink(self.path)


def semaphore_type(name):
    return SystemVSemaphore if "sysv" in name else PosixSemaphore


def segment_type(name):
    return SystemVSegment if "sysv" in name else PosixSegment


def out(name, value):
    print(f"{name}\t{value:.2f}", flush=True)


def measure(body, batches=9, batch=10_000_000):
    """body() once; the median time of a call over batches of about 10 ms."""
    n = 1
    while True:
        start = now()
        for _ in range(n):
            body()
        took = now() - start
        if took >= batch / 2:
            break
        n = n * 8 if took < batch / 16 else int(n * batch / took) + 1
    values = []
    for _ in range(batches):
        start = now()
        for _ in range(n):
            body()
        values.append((now() - start) / n)
    return statistics.median(values)


def fresh(name, what, count, undo=False):
    s = semaphore_type(name)(what, count)
    if undo and "sysv" in name:
        s.semaphore.undo = True
    return s


def drop(thing):
    thing.close()
    thing.remove()


def pair(name):
    s = fresh(name, "pair", 1, "undo" in name or name.startswith("lock"))
    acquire, release, attempt = s.calls()
    acquire = attempt if "try" in name else acquire

    def body():
        acquire()
        release()
    out(name, measure(body))
    drop(s)


def ping_pong(name):
    a, b = fresh(name, "a", 0), fresh(name, "b", 0)
    (wait_a, post_a, _), (wait_b, post_b, _) = a.calls(), b.calls()
    cores = {"x": (0, 1), "1": (0, 0)}.get(name[-1])
    every = os.sched_getaffinity(0)
    child = os.fork()
    if child == 0:
        if cores:
            os.sched_setaffinity(0, {cores[1]})
        while True:
            wait_a()
            post_b()
    if cores:
        os.sched_setaffinity(0, {cores[0]})
    values = []
    for _ in range(21):
        start = now()
        for _ in range(300):
            post_a()
            wait_b()
        values.append((now() - start) / 300)
    os.sched_setaffinity(0, every)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    out(name, statistics.median(values[1:]))
    drop(a)
    drop(b)


def contend(name):
    count, span = int(name.rsplit(".", 1)[1]), 300_000_000
    s = fresh(name, "contended", 1, True)
    acquire, release, _ = s.calls()
    page = mmap.mmap(-1, 4096)
    start, children = now() + 100_000_000, []
    for i in range(count):
        child = os.fork()
        if child == 0:
            while now() < start:
                time.sleep(0.0005)
            done = 0
            while now() < start + span:
                for _ in range(16):
                    acquire()
                    release()
                done += 16
            struct.pack_into("q", page, i * 8, done)
            os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)
    out(name, span / max(1, sum(struct.unpack_from(f"{count}q", page))))
    drop(s)


def opens(name):
    make = semaphore_type(name)
    if "create" in name:
        out(name, measure(lambda: drop(make("open", 1))))
        return
    kept = make("open", 1)
    kept.close()
    out(name, measure(lambda: make("open").close()))
    kept.remove()


def segments(name):
    make, size = segment_type(name), BIG if "64m" in name else 4096

    def work(segment, writes):
        view = segment.view
        if size == BIG:
            for i in range(0, size, 4096):
                if writes:
                    view[i] = 1
                else:
                    view[i]
        del view
        segment.close()

    if "create" in name:
        def create():
            segment = make("segment", size)
            work(segment, True)
            segment.remove()
        out(name, measure(create, 5 if size == BIG else 9))
        return
    kept = make("segment", size)
    for i in range(0, size, 4096):
        kept.view[i] = 1
    out(name, measure(lambda: work(make("segment"), "write" in name), 5 if size == BIG else 9))
    drop(kept)


def copies(name):
    segment, own = PosixSegment("copy", BIG), memoryview(bytearray(BIG))
    view = segment.view
    view[:] = own
    words = view.cast("Q")
    small_view, small_own = view[:4096], own[:4096]

    def both():
        small_view[:] = small_own
        small_own[:] = small_view

    if name == "rand.read8":
        def body():
            x, total = 88172645463325252, 0
            for _ in range(1000):
                x ^= (x << 13) & 0xFFFFFFFFFFFFFFFF
                x ^= x >> 7
                x ^= (x << 17) & 0xFFFFFFFFFFFFFFFF
                total += words[x & (BIG // 8 - 1)]
        out(name, measure(body) / 1000)
    elif name == "copy.in64m":
        out(name, measure(lambda: view.__setitem__(slice(None), own)))
    elif name == "copy.out64m":
        out(name, measure(lambda: own.__setitem__(slice(None), view)))
    else:
        out(name, measure(both))
    words.release()
    small_view.release()
    view.release()
    drop(segment)


def scale(name):
    count = int(name.rsplit(".", 1)[1])
    make = (lambda n: segment_type(name)(n, 4096)) if ".shm." in name else (lambda n: semaphore_type(name)(n, 1))
    values = []
    for _ in range(9 if count <= 100 else 3 if count <= 1000 else 1):
        start = now()
        objects = [make(f"scale{i}") for i in range(count)]
        for item in objects:
            drop(item)
        values.append((now() - start) / count)
    out(name, statistics.median(values))


KINDS = ("posix", "sysv") if sysv_ipc else ("posix",)
WORK = [
    *((f"{n}", pair) for n in ("posix.try_pair", "posix.wait_pair", "lock.posix")),
    *((n, pair) for n in ("sysv.pair", "sysv.pair_undo", "lock.sysv") if sysv_ipc),
    *((n, ping_pong) for n in ("pp.posix.x", "pp.posix.1", "pp.posix.free")),
    *((f"contend.{k}.{n}", contend) for k in KINDS for n in (2, 4, 8)),
    ("posix.sem.open_close", opens), ("posix.sem.create_destroy", opens),
    *((n, opens) for n in ("sysv.sem.open", "sysv.sem.create_destroy") if sysv_ipc),
    *((f"{k}.shm{n}", segments) for k in KINDS
      for n in ("4k.create_destroy", "4k.attach_detach", "64m.create_touch", "64m.attach_touch")),
    *((n, copies) for n in ("copy.in64m", "copy.out64m", "copy.4k", "rand.read8")),
    *((f"scale.{k}.{n}", scale) for k in KINDS
      for n in ("sem.100", "sem.1000", "sem.10000", "shm.100", "shm.1000", "shm.4000")),
]

if __name__ == "__main__":
    # Before Python 3.13 each attach tells the tracker, whose process then removes what it does not own.
    resource_tracker.ensure_running()
    for workload, run in WORK:
        if sys.argv[1:] == ["--list"]:
            print(workload)
        elif any(workload.startswith(prefix) for prefix in sys.argv[1:]):
            run(workload)
