# SPDX-License-Identifier: MIT
"""Named events of NativeIpc for Python 3.8 and later on Linux, in one file, without a compiler.

An event is auto-reset or manual-reset, as on Windows. NativeIpc's SystemEvent, C programs with nativeipc_event.h and
this module meet in the same one under the same name; docs/layouts.md of NativeIpc says what it is made of.

    from nativeipc_event import Event

    with Event.create_or_open("/com.example.ready", Event.AUTO) as event:
        event.wait()          # until somebody calls set()

Needs libatomic (Debian's package libatomic1, Alpine's and Fedora's libatomic), since Python has no atomic exchange of
its own. Without it, and on other systems than Linux, the import raises ImportError.

Any thread may use an event at any time; close() comes last. Errors are OSError with errno and its subclasses:
FileNotFoundError and FileExistsError; PermissionError, also (EPERM) for an event of another user than this one and
root, which may be planted; EBADMSG for what is no event, or one of another version; EPROTOTYPE for one of the other
mode. A name that cannot be one is a ValueError.
"""

import ctypes
import errno
import mmap
import os
import platform
import stat
import struct
import sys
import time

__all__ = ["Event"]

_FOLDER = "/dev/shm"
_PREFIX = b"nativeipc-event."
_SIZE = 64
_MAGIC = 0x7645494E
_VERSION = 1
_STATE, _WAITERS = 0, 4
_FUTEX_WAKE, _FUTEX_WAIT_BITSET = 1, 9
_MANY = 2**31 - 1
_SEQ_CST = 5
_LOOK = 10  # a sleeper looks by itself after so many seconds, since a killed setter wakes nobody


def _load_atomic():
    if not sys.platform.startswith("linux"):
        raise ImportError("nativeipc_event is for Linux: it needs futex(2).")
    try:
        library = ctypes.CDLL("libatomic.so.1")
        functions = [
            getattr(library, "__atomic_" + name)
            for name in ("load_4", "fetch_add_4", "fetch_and_4", "compare_exchange_4", "is_lock_free")
        ]
    except (OSError, AttributeError) as failure:
        raise ImportError(
            "nativeipc_event needs libatomic.so.1, by which it exchanges a word with other processes, and it cannot be "
            f"loaded ({failure}). Install Debian's package libatomic1, or Alpine's or Fedora's libatomic."
        ) from failure
    word, address, order = ctypes.c_uint32, ctypes.c_void_p, ctypes.c_int
    load, add, clear, exchange, is_lock_free = functions
    load.restype, load.argtypes = word, [address, order]
    add.restype, add.argtypes = word, [address, word, order]
    clear.restype, clear.argtypes = word, [address, word, order]
    exchange.restype, exchange.argtypes = ctypes.c_bool, [address, ctypes.POINTER(word), word, order, order]
    is_lock_free.restype, is_lock_free.argtypes = ctypes.c_bool, [ctypes.c_size_t, address]
    if not is_lock_free(4, None):
        raise ImportError("nativeipc_event cannot work here: this processor has no exchange of four bytes.")
    return load, add, clear, exchange


def _futex_number():
    if ctypes.sizeof(ctypes.c_long) == 4:
        return 422  # futex_time64, the same on all 32-bit processors, from Linux 5.1 on
    machine = platform.machine()
    for names, number in (
        (("x86_64", "amd64"), 202),
        (("aarch64", "arm64", "riscv64", "loongarch64"), 98),
        (("ppc64", "ppc64le"), 221),
        (("s390x",), 238),
    ):
        if machine in names:
            return number
    raise ImportError(f"nativeipc_event does not know the number of futex(2) on {machine}.")


_atomic_load, _atomic_add, _atomic_and, _atomic_exchange = _load_atomic()
_SYS_FUTEX = _futex_number()
_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


class _Timespec(ctypes.Structure):
    _fields_ = [("seconds", ctypes.c_int64), ("nanoseconds", ctypes.c_int64)]


def _futex(address, operation, value, until=None):
    """Gives (result, errno). until is in nanoseconds of the monotonic clock."""
    timespec = None
    if until is not None:
        timespec = ctypes.byref(_Timespec(until // 10**9, until % 10**9))
    result = _libc.syscall(
        ctypes.c_long(_SYS_FUTEX),
        ctypes.c_void_p(address),
        ctypes.c_int(operation),
        ctypes.c_uint32(value),
        timespec,
        None,
        ctypes.c_uint32(0xFFFFFFFF),
    )
    return result, ctypes.get_errno() if result == -1 else 0


def _path(name):
    text = os.fsencode(name).lstrip(b"/")
    if text in (b"", b".", b"..") or b"/" in text or b"\0" in text:
        raise ValueError(f"{name!r} cannot be the name of an event: one file name, with slashes only before it")
    if len(text) > 255 - len(_PREFIX):
        raise ValueError(f"{name!r} has more than {255 - len(_PREFIX)} bytes after its slash")
    return os.path.join(os.fsencode(_FOLDER), _PREFIX + text)


def _is_real(user):
    """Whether a number of a user is somebody's, and not the one for all that a user namespace does not map."""
    try:
        with open("/proc/sys/kernel/overflowuid") as file:
            overflow = int(file.read())
    except OSError:
        overflow = 65534
    if user != overflow:
        return True
    try:
        with open("/proc/self/uid_map") as file:
            return sum(int(line.split()[2]) for line in file) >= 2**32 - 1
    except OSError:
        return os.path.exists("/proc/self/stat")  # a kernel without user namespaces; without /proc nobody knows


def _error(number, path):
    raise OSError(number, os.strerror(number), os.fsdecode(path))


class Event:
    """An open event; see create, open and create_or_open. A context manager that closes."""

    AUTO = 1
    MANUAL = 2

    def __init__(self, path, file, created):
        try:
            self._map = mmap.mmap(file, _SIZE)
        finally:
            os.close(file)
        self._view = ctypes.c_char.from_buffer(self._map)
        self._address = ctypes.addressof(self._view)
        magic, version, mode = struct.unpack_from("=IHH", self._map, 8)
        self.mode = mode
        self.created = created
        if magic != _MAGIC or version != _VERSION or mode not in (self.AUTO, self.MANUAL):
            self.close()
            _error(errno.EBADMSG, path)

    @classmethod
    def create(cls, name, mode, initially_set=False, permissions=0o600):
        """Makes an event that must not exist yet. permissions: read and write bits, set exactly, whatever the umask;
        the owner has both. Using an event takes both."""
        path = _path(name)
        if mode not in (cls.AUTO, cls.MANUAL):
            raise ValueError("mode is Event.AUTO or Event.MANUAL")
        if permissions & ~0o666 or permissions & 0o600 != 0o600:
            raise ValueError("permissions are read and write bits, and the owner has both")
        return cls(path, cls._publish(path, mode, initially_set, permissions), True)

    @classmethod
    def open(cls, name, any_owner=False):
        """Opens an event that exists. any_owner takes one of another user than this one and root, too."""
        path = _path(name)
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            status = os.fstat(file)
            if not stat.S_ISREG(status.st_mode) or status.st_size != _SIZE:
                _error(errno.EBADMSG, path)
            owner = status.st_uid
            if not any_owner and not (owner in (os.geteuid(), 0) and _is_real(owner)):
                _error(errno.EPERM, path)
        except BaseException:
            os.close(file)
            raise
        return cls(path, file, False)

    @classmethod
    def create_or_open(cls, name, mode, initially_set=False, permissions=0o600, any_owner=False):
        """Opens the event as it is, or makes it; created says which."""
        for _ in range(1000):  # each lost round means that somebody else has made or removed it
            try:
                event = cls.open(name, any_owner)
            except FileNotFoundError:
                pass
            else:
                if event.mode == mode:
                    return event
                event.close()
                _error(errno.EPROTOTYPE, _path(name))
            try:
                return cls.create(name, mode, initially_set, permissions)
            except FileExistsError:
                pass
        _error(errno.EEXIST, _path(name))

    @staticmethod
    def unlink(name):
        """Removes the name. Those that have the event open keep it; whoever makes one next has another."""
        os.unlink(_path(name))

    @classmethod
    def _publish(cls, path, mode, initially_set, permissions):
        """Makes the file whole, and only then gives it its name."""
        content = struct.pack("=IIIHH48x", int(bool(initially_set)), 0, _MAGIC, _VERSION, mode)
        try:
            file = os.open(_FOLDER, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except OSError:
            file = -1
        if file != -1:
            try:
                os.fchmod(file, permissions)
                os.pwrite(file, content, 0)
                os.link(f"/proc/self/fd/{file}", path, src_dir_fd=file, follow_symlinks=True)
                return file
            except FileExistsError:
                os.close(file)
                raise
            except OSError:
                os.close(file)  # no /proc, or it is refused: the other way
        attempt = 0
        while True:
            temporary = os.path.join(os.fsencode(_FOLDER), b".%s%d.%d" % (_PREFIX, os.getpid(), attempt))
            try:
                file = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
                break
            except FileExistsError:
                attempt += 1  # left by a killed one, or made by another thread
                if attempt > 1000:
                    raise
        try:
            os.fchmod(file, permissions)
            os.pwrite(file, content, 0)
            os.link(temporary, path)
        except BaseException:
            os.close(file)
            raise
        finally:
            os.unlink(temporary)
        return file

    # The words

    def _load(self, word):
        return _atomic_load(self._address + word, _SEQ_CST)

    def _exchange(self, seen, state):
        """Whether the state was as seen; otherwise seen is what it is."""
        return _atomic_exchange(
            self._address + _STATE, ctypes.byref(seen), state & 0xFFFFFFFF, _SEQ_CST, _SEQ_CST
        )

    def _wake_if_any(self):
        if self._load(_WAITERS) != 0:
            _futex(self._address, _FUTEX_WAKE, _MANY if self.mode == self.MANUAL else 1)

    def _take(self, first, is_waiter):
        """(True, ...) when there was something to take; otherwise (False, the state that was seen). Only who has been
        counted in takes grants: they were given to such."""
        seen = ctypes.c_uint32(self._load(_STATE))
        if self.mode == self.MANUAL:
            return bool(seen.value & 1) or seen.value >> 1 != first >> 1, seen.value
        while seen.value != 0 if is_waiter else seen.value & 1:
            state = seen.value
            if self._exchange(seen, state - 2 if is_waiter and state > 1 else state & ~1):
                return True, 0
        return False, 0

    def set(self):
        """Sets it. True when that changed something; False when it was set already."""
        manual = self.mode == self.MANUAL
        while True:
            seen = ctypes.c_uint32(self._load(_STATE))
            state = seen.value
            if state & 1:
                # Written all the same: who takes the event after that sees what this thread wrote before it.
                if _atomic_and(self._address + _STATE, 0xFFFFFFFF, _SEQ_CST) & 1:
                    self._wake_if_any()  # somebody may sleep whom a killed setter did not wake
                    return False
            elif manual or self._load(_WAITERS) <= state >> 1:
                if self._exchange(seen, state + 3 if manual else state | 1):
                    self._wake_if_any()  # one may have counted itself in and slept since the look
                    return True
            elif self._exchange(seen, state + 2):
                woken, _ = _futex(self._address, _FUTEX_WAKE, 1)
                return woken > 0 or self._give_back()

    def _give_back(self):
        """Nobody was woken for a grant: it becomes the set bit, unless somebody came and took it."""
        seen = ctypes.c_uint32(self._load(_STATE))
        while seen.value > 1:
            state = seen.value
            if self._exchange(seen, (state - 2) | 1):
                return not state & 1
        return True

    def reset(self):
        """Takes back a set that nobody has used. Who was let through stays so. True when it was set."""
        return bool(_atomic_and(self._address + _STATE, 0xFFFFFFFE, _SEQ_CST) & 1)

    def is_set(self):
        """Whether it is set at this moment."""
        return bool(self._load(_STATE) & 1)

    def try_wait(self):
        """Whether it is set now; an auto-reset event is reset by that."""
        return self._take(self._load(_STATE), False)[0]

    def wait(self, timeout=None):
        """Waits until it is set, or for a time in seconds, of the monotonic clock. False when the time has passed."""
        if timeout is not None and timeout < 0:
            raise ValueError("timeout is negative")
        first = self._load(_STATE)
        got, seen = self._take(first, False)
        if got:
            return True
        deadline = None if timeout is None else time.monotonic_ns() + int(timeout * 10**9)
        _atomic_add(self._address + _WAITERS, 1, _SEQ_CST)
        try:
            while True:
                got, seen = self._take(first, True)
                if got:
                    return True
                until = time.monotonic_ns()
                if deadline is not None and until >= deadline:
                    return False  # asked once more: what it was given meanwhile it has taken
                until += _LOOK * 10**9
                if deadline is not None and deadline < until:
                    until = deadline
                result, number = _futex(self._address, _FUTEX_WAIT_BITSET, seen, until)
                if result == -1 and number not in (errno.EAGAIN, errno.ETIMEDOUT, errno.EINTR):
                    raise OSError(number, os.strerror(number))
        except BaseException:
            # An exception of a signal handler, KeyboardInterrupt for one: what it was given another one gets.
            if self.mode == self.AUTO and not got and self._take(first, True)[0]:
                self.set()
            raise
        finally:
            self._leave(got)

    def _leave(self, got):
        """Counts one out. If it had nothing: a grant for which no waiter is left, of a killed setter, becomes the set
        bit, and what there is wakes another one, since a wake-up may have come to this one."""
        _atomic_add(self._address + _WAITERS, 0xFFFFFFFF, _SEQ_CST)
        if got or self.mode == self.MANUAL:
            return
        seen = ctypes.c_uint32(self._load(_STATE))
        while not seen.value & 1 and seen.value >> 1 > self._load(_WAITERS):
            if self._exchange(seen, (seen.value - 2) | 1):
                break
        if self._load(_STATE) != 0:
            self._wake_if_any()

    def close(self):
        """Lets go of the event, which stays."""
        if self._map is not None:
            self._view = None
            self._map.close()
            self._map = None
            self._address = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
