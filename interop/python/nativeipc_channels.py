# SPDX-License-Identifier: MIT
"""Rings and topics of NativeIpc for Python 3.9 and later on Linux, in one file, without a compiler.

A ring takes messages from one writer to one reader; a topic takes the latest ones from one writer to any number of
readers that never slow it down. NativeIpc's SharedRing and SharedTopic, C programs with nativeipc_channels.h and this
module meet in the same one under the same name; docs/layouts.md of NativeIpc says what it is made of.

    from nativeipc_channels import Ring

    with Ring.create_or_open("/com.example.frames", 1 << 20) as ring, ring.open_writer() as writer:
        writer.write(b"hello")

    with Ring.open("/com.example.frames") as ring, ring.open_reader() as reader:
        for message in reader:     # a memoryview, in place
            print(bytes(message))
            reader.release()

A name is that of a POSIX segment, as above, or the text of a key of System V: "systemv:/path/of/key/file" (also
"systemv-N:", with the project id N).

Rings of many writers and readers are refused: those take turns by atomic exchanges, which Python has not.

On x64 only: an aligned word that Python stores there is seen whole, and behind what was stored before, which is all
that one writer and one reader need. Other processors need instructions that Python has not: there the import raises
ImportError.

After a fork (multiprocessing with "fork"), a child has the role as well, until it ends: start children before, or with
"spawn". Close writers and readers before their channel. A writer and a reader are of one thread at a time each. Times
are in seconds; 0 tries once, None waits for ever. Errors are OSError with errno and its subclasses: FileNotFoundError
and FileExistsError; EMEDIUMTYPE for what is no such channel; EBUSY when another one has the role; EBADMSG for
control words that no peer writes that keeps to the layout; PermissionError (EPERM) for a channel of another user than
this one and root, which may be planted.
"""

import ctypes
import errno
import fcntl
import mmap
import os
import platform
import random
import stat
import struct
import sys
import threading
import time
import urllib.parse
import weakref

__all__ = ["Ring", "Topic"]

if not sys.platform.startswith("linux"):
    raise ImportError("nativeipc_channels is for Linux: it needs futex(2) and locks of open file descriptions.")
if platform.machine() not in ("x86_64", "AMD64") or struct.calcsize("P") != 8:
    raise ImportError(
        "nativeipc_channels is for x64: other processors may show the writes of a process in another order, and Python "
        f"has no instruction against that. This is {platform.machine()}."
    )

_FOLDER = "/dev/shm/"
_HEADER = 4096
_MAGIC = 0x4E4148434350494E
_VERSION, _RING, _MANY_RING, _TOPIC = 1, 1, 2, 3
_SLOT = 64
_MAKING, _WRITER, _READER = 1 << 62, (1 << 62) + 1, (1 << 62) + 2
# Places of words: of 8 bytes by their number, of 4 bytes likewise
_FINGERPRINT, _TAIL, _HEAD = 32 // 8, 128 // 8, 256 // 8
_ENDED, _READER_BELL, _WAKING, _WRITER_BELL = 136 // 4, 384 // 4, 388 // 4, 512 // 4
_NOTES = {_WRITER: 640, _READER: 768}
_MANY = 2**31 - 1
_F_OFD_GETLK, _F_OFD_SETLK = 36, 37
_IPC_CREAT, _IPC_EXCL, _IPC_RMID, _SHM_RDONLY = 0o1000, 0o2000, 0, 0o10000
_SYS_FUTEX, _SYS_SET_ROBUST_LIST, _SYS_GET_ROBUST_LIST, _SYS_MEMBARRIER = 202, 273, 274, 324
_LIBC = ctypes.CDLL(None, use_errno=True)
_SYSCALL = _LIBC.syscall
_SYSCALL.restype = ctypes.c_long
_LIBC.shmat.restype = ctypes.c_void_p
_LIBC.shmdt.argtypes = [ctypes.c_void_p]
_BUSY = (errno.EAGAIN, errno.EACCES)
_ENDS_OF_SLEEP = (errno.EAGAIN, errno.ETIMEDOUT, errno.EINTR)
_MASK = 2**64 - 1
_FENCE = threading.Lock()  # taking it is a full barrier on x64
_OWN, _OWN_LISTS = threading.local(), []


class _Timespec(ctypes.Structure):
    _fields_ = [("tv_sec", ctypes.c_long), ("tv_nsec", ctypes.c_long)]


def _fail(number, text=None):
    raise OSError(number, text or os.strerror(number))


def _damaged(what):
    _fail(errno.EBADMSG, "The channel is damaged: " + what)


def _wake(address, most):
    _SYSCALL(ctypes.c_long(_SYS_FUTEX), ctypes.c_void_p(address), 1, most, None, None, 0)


def _sleep(address, expected, seconds):
    span = _Timespec(int(seconds), int(seconds % 1 * 1e9))
    if _SYSCALL(ctypes.c_long(_SYS_FUTEX), ctypes.c_void_p(address), 0, ctypes.c_uint32(expected), ctypes.byref(span),
                None, 0) != 0 and ctypes.get_errno() not in _ENDS_OF_SLEEP:
        _fail(ctypes.get_errno())  # a sandbox may refuse it: no reason to spin


def _barrier():
    with _FENCE:
        pass


def _own_note():
    """Start time and PID namespace, for people; 0 where there is no /proc."""
    try:
        with open("/proc/self/stat", "rb") as file:
            start = int(file.read().rpartition(b")")[2].split()[19])
        return start, os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        return 0, 0


def _membarrier(command):
    return _SYSCALL(ctypes.c_long(_SYS_MEMBARRIER), command, 0, 0) == 0


class _RobustList(ctypes.Structure):
    """The kernel's list of this thread's robust futexes (get_robust_list(2)). When the thread dies, the kernel wakes
    one sleeper of the word that is pending, if it is 0 (Linux 5.5). glibc registers a list for each thread, musl with
    the first robust mutex of a thread: until then an empty one of ours does."""

    _fields_ = [("list", ctypes.c_void_p), ("offset", ctypes.c_long), ("pending", ctypes.c_void_p)]


def _set_pending(address):
    """Says which word's sleeper is to be woken if this thread dies; None: none any more."""
    own, size = ctypes.POINTER(_RobustList)(), ctypes.c_size_t()
    if _SYSCALL(ctypes.c_long(_SYS_GET_ROBUST_LIST), 0, ctypes.byref(own), ctypes.byref(size)) != 0:
        return
    if not own and address is not None:
        own, size = ctypes.pointer(_own_list()), ctypes.c_size_t(ctypes.sizeof(_RobustList))
        if _SYSCALL(ctypes.c_long(_SYS_SET_ROBUST_LIST), own, size) != 0:
            return
    if own and size.value == ctypes.sizeof(_RobustList):
        own.contents.pending = None if address is None else address - own.contents.offset


def _own_list():
    """An empty list of this thread, never freed: the kernel reads it when the thread has ended."""
    if not hasattr(_OWN, "list"):
        _OWN.list = _RobustList()
        _OWN.list.list = ctypes.addressof(_OWN.list)  # empty: it leads to itself
        _OWN_LISTS.append(_OWN.list)
    return _OWN.list


def _path(name):
    """The path of the file on which roles are locked, and System V's project id, or 0."""
    kind, colon, key = name.partition(":")
    if colon and (kind == "systemv" or kind.startswith("systemv-")):
        project = int(kind[8:] or 81)
        path = os.fsdecode(urllib.parse.unquote_to_bytes(key.partition("#")[0].partition("?")[0]))
        if not 1 <= project <= 255 or not path or "\0" in path:
            raise ValueError(f"{name!r} cannot be the key of a channel.")
        return path, project
    name = name.lstrip("/")
    if not name or "/" in name or "\0" in name or name in (".", ".."):
        raise ValueError(f"{name!r} cannot be the name of a channel.")
    return _FOLDER + name, 0


def _power_of_two(number, least):
    while least < number:
        least *= 2
    return least


def _make(path, kind, capacity, slot, mode):
    """Makes a file whole and gives it its name then, so that nobody meets a half-made one."""
    file = os.open(_FOLDER, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        os.posix_fallocate(file, 0, _HEADER + capacity * (slot or 1))
        os.fchmod(file, mode)
        os.pwrite(file, struct.pack("=QHHIQQ", _MAGIC, _VERSION, kind, _HEADER, capacity, slot), 0)
        # os.link does not follow the link: linkat(2) with AT_FDCWD and AT_SYMLINK_FOLLOW
        if _LIBC.linkat(-100, f"/proc/self/fd/{file}".encode(), -100, os.fsencode(path), 0x400) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), path)
    finally:
        os.close(file)


def _retry(action):
    """Calls it again while it raises EAGAIN, for a second: somebody makes the channel, or removes it."""
    for tries in range(1001):
        try:
            return action()
        except OSError as failure:
            if failure.errno != errno.EAGAIN or tries == 1000:
                raise
        time.sleep(0.001)


def _ftok(file, path, project):
    """The System V key of a key file that is open, or else has the path, and its status. Takes the file's lock, under
    which segments are made and removed."""
    if file >= 0:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as failure:
            if failure.errno not in (errno.ENOLCK, errno.EOPNOTSUPP):
                raise
        status = os.fstat(file)
        try:
            now = os.stat(path)
        except FileNotFoundError:
            _fail(errno.EAGAIN)
        if (now.st_dev, now.st_ino) != (status.st_dev, status.st_ino):
            _fail(errno.EAGAIN)
    else:
        status = os.stat(path)
    if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
        _fail(errno.EMEDIUMTYPE)
    if status.st_uid not in (os.geteuid(), 0):
        _fail(errno.EPERM, "The key file is another user's, and may be planted.")
    return ctypes.c_int(project << 24 | (status.st_dev & 0xFF) << 16 | status.st_ino & 0xFFFF), status


def _shmget(key, size, flags):
    found = _LIBC.shmget(key, ctypes.c_size_t(size), flags)
    if found < 0:
        _fail(ctypes.get_errno())
    return found


class _ShmStatus(ctypes.Structure):
    """struct shmid_ds of x64, as far as it counts."""

    _fields_ = [("key", ctypes.c_int), ("uid", ctypes.c_uint), ("gid", ctypes.c_uint), ("cuid", ctypes.c_uint),
                ("cgid", ctypes.c_uint), ("mode", ctypes.c_uint), ("more", ctypes.c_ulong * 3),
                ("size", ctypes.c_size_t), ("rest", ctypes.c_ulong * 16)]


def _attach(found, can_write):
    """The bytes of a segment of System V. It is detached when nobody has any of them any more."""
    about = _ShmStatus()
    if _LIBC.shmctl(found, 2, ctypes.byref(about)) != 0:
        _fail(ctypes.get_errno())
    if about.uid not in (os.geteuid(), 0) or about.cuid not in (os.geteuid(), 0):
        _fail(errno.EPERM, "The segment is another user's, and may be planted.")
    if about.size < _HEADER:
        _fail(errno.EMEDIUMTYPE)
    address = _LIBC.shmat(found, None, 0 if can_write else _SHM_RDONLY)
    if address in (None, 2**64 - 1):
        _fail(ctypes.get_errno())
    segment = type("_Segment", (ctypes.c_char * about.size,), {}).from_address(address)
    weakref.finalize(segment, _LIBC.shmdt, address).atexit = False
    return segment, about.size


def _open_key_file(path, mode):
    """A descriptor of a key file, and whether this call made it."""
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), False
    except FileNotFoundError:
        pass
    try:
        file = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        _fail(errno.EAGAIN)
    os.fchmod(file, 0o600 | (0o40 if mode & 0o20 else 0) | (0o4 if mode & 0o2 else 0))  # who may write may read it
    return file, True


def _make_system_v(path, project, kind, capacity, slot, mode, may_exist):
    """Makes a segment of System V, or finishes one that is half made; what keeps it attached. FileExistsError: it is
    there."""
    size = _HEADER + capacity * (slot or 1)
    file, made = _open_key_file(path, mode)
    try:
        key, status = _ftok(file, path, project)
        if not made and stat.S_ISREG(status.st_mode) and status.st_size == 0:
            try:
                _shmget(key, 0, 0)
            except FileNotFoundError:
                try:
                    # The mark of a file that several segments may use
                    os.fchmod(file, stat.S_IMODE(status.st_mode) | 0o100)
                except OSError:
                    pass
        try:
            found = _shmget(key, size, _IPC_CREAT | _IPC_EXCL | mode)
        except FileExistsError:
            if not may_exist:
                raise
            try:
                found = _shmget(key, size, 0)
            except OSError:
                _fail(errno.EEXIST)  # it is smaller
        except OSError:
            if made:
                os.unlink(path)
            raise
        segment, _ = _attach(found, True)
        fcntl.flock(file, fcntl.LOCK_UN)
        if not _try_lock(file, project, _MAKING):
            _fail(errno.EAGAIN)
        try:
            with memoryview(segment).cast("B").cast("Q") as words:
                if words[0] != 0:
                    _fail(errno.EEXIST)
                device = os.major(status.st_dev) << 32 | os.minor(status.st_dev)
                struct.pack_into("=HHIQQQQQ", segment, 8, _VERSION, kind, _HEADER, capacity, slot, 0, device,
                                 status.st_ino)
                words[0] = _MAGIC
        finally:
            _unlock(file, project, _MAKING)
        return segment
    finally:
        os.close(file)


def _remove_system_v(path, project):
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        key, status = _ftok(file, path, project)
        if _LIBC.shmctl(_shmget(key, 0, 0), _IPC_RMID, None) != 0:
            _fail(ctypes.get_errno())
        if stat.S_ISREG(status.st_mode) and status.st_size == 0 and not status.st_mode & 0o100:
            os.unlink(path)
    finally:
        os.close(file)


def _lock(file, command, project, at, kind):
    """fcntl(2) for a lock of the open file description; the kind of lock that the kernel says."""
    range_ = struct.pack("hhqqi4x", kind, os.SEEK_SET, at + (project << 32), 1, 0)
    return struct.unpack_from("h", fcntl.fcntl(file, command, range_))[0]


def _unlock(file, project, at):
    _lock(file, _F_OFD_SETLK, project, at, fcntl.F_UNLCK)


def _try_lock(file, project, at):
    """Locks a byte; false when another one has it."""
    try:
        if project == 0:
            _lock(file, _F_OFD_SETLK, project, at, fcntl.F_WRLCK)
            return True
        # A key file may be open for reading only, so that it can have shared locks alone: who has one and then sees no
        # other has it for itself. Two that lock at once see each other and step back.
        for tries in range(7):
            if _lock(file, _F_OFD_GETLK, project, at, fcntl.F_WRLCK) == fcntl.F_UNLCK:
                _lock(file, _F_OFD_SETLK, project, at, fcntl.F_RDLCK)
                if _lock(file, _F_OFD_GETLK, project, at, fcntl.F_WRLCK) == fcntl.F_UNLCK:
                    return True
                _unlock(file, project, at)
            for _ in range(random.randrange(8 << tries)):
                pass
    except OSError as failure:
        if failure.errno not in _BUSY:
            raise
    return False


class _Channel:
    _kind = 0

    def __init__(self, file, created, can_write, path, project):
        self._file = file
        self._map = None
        self._path, self._project = path, project
        self._views = []
        self._claims = {_WRITER: threading.Lock(), _READER: threading.Lock()}
        try:
            self.created = created
            self._can_write = can_write
            self._check()
        except BaseException:
            self.close()
            raise

    def _check(self):
        size = self._attach() if self._project else self._map_file()
        whole = self._bytes[: size // 8 * 8]
        self._long, self._word = whole.cast("Q"), whole.cast("I")  # plain moves of aligned words
        self._views = [self._long, self._word, whole, self._bytes]
        magic, version, kind, header, capacity, slot, _, *key_file = struct.unpack_from("=QHHIQQQQQ", self._map, 0)
        if magic == 0:
            _fail(errno.EAGAIN)
        if (magic, version, kind, header) == (_MAGIC, _VERSION, _MANY_RING, _HEADER) and self._kind == _RING:
            _fail(
                errno.EMEDIUMTYPE,
                "The ring is one of many writers and readers, which take turns by atomic exchanges, and Python has "
                "none: use C, C++ or .NET there, or a ring of one writer and one reader.",
            )
        if (magic, version, kind, header) != (_MAGIC, _VERSION, self._kind, _HEADER):
            _fail(errno.EMEDIUMTYPE, "What has the name is no such channel, or one of another version.")
        if self._project and key_file != self._key_file:
            _fail(errno.EMEDIUMTYPE, "The channel was made under another key file of the same System V key.")
        room = size - _HEADER
        if self._kind == _RING:
            fits = 4096 <= capacity <= 1 << 40 and slot == 0 and capacity <= room
        else:
            fits = 2 <= capacity <= 1 << 20 and 128 <= slot <= 1 << 31 and slot % 64 == 0 and slot * capacity <= room
        if not fits or capacity & (capacity - 1):
            _damaged("its size does not fit the segment.")
        self._capacity, self._slot = capacity, slot
        self._barriers = _membarrier(4)
        # The address, for futex(2)
        if self._can_write:
            self._address = ctypes.addressof(ctypes.c_char.from_buffer(self._map))
        else:
            self._address = None

    def _map_file(self):
        status = os.fstat(self._file)
        if not stat.S_ISREG(status.st_mode) or status.st_size < _HEADER:
            _fail(errno.EAGAIN if stat.S_ISREG(status.st_mode) and status.st_size == 0 else errno.EMEDIUMTYPE)
        if status.st_uid not in (os.geteuid(), 0):
            _fail(errno.EPERM, "The channel is another user's, and may be planted.")
        access = mmap.PROT_READ | (mmap.PROT_WRITE if self._can_write else 0)
        self._map = mmap.mmap(self._file, status.st_size, mmap.MAP_SHARED, access)
        self._bytes = memoryview(self._map)
        return status.st_size

    def _attach(self):
        key, status = _ftok(self._file, self._path, self._project)
        self._key_file = [os.major(status.st_dev) << 32 | os.minor(status.st_dev), status.st_ino]
        self._map, size = _attach(_shmget(key, 0, 0), self._can_write)
        self._bytes = memoryview(self._map).cast("B")
        if not self._can_write:
            self._bytes = self._bytes.toreadonly()
        if self._file >= 0:
            fcntl.flock(self._file, fcntl.LOCK_UN)
        return size

    @classmethod
    def _open(cls, name, can_write=True):
        path, project = _path(name)
        return _retry(lambda: cls._open_once(path, project, can_write))

    @classmethod
    def _open_once(cls, path, project, can_write):
        # Who may write a segment of System V may read its key file, and not more; a link may lead to that. A stranger's
        # pipe of the name must not hold this up.
        flags = os.O_RDONLY if project else os.O_NOFOLLOW | (os.O_RDWR if can_write else os.O_RDONLY)
        try:
            file = os.open(path, flags | os.O_CLOEXEC | os.O_NONBLOCK)
        except PermissionError:
            if not project or can_write:
                raise
            file = -1
        return cls(file, False, can_write, path, project)

    @classmethod
    def _create(cls, name, capacity, slot, mode, may_exist):
        path, project = _path(name)
        while True:
            if may_exist and not project:
                try:
                    return cls._large(cls._open(name), capacity, slot)
                except FileNotFoundError:
                    pass
            made = None
            try:
                if project:
                    made = _retry(lambda: _make_system_v(path, project, cls._kind, capacity, slot, mode, may_exist))
                else:
                    _make(path, cls._kind, capacity, slot, mode)
            except FileExistsError:
                if not may_exist:
                    raise
                if not project:
                    continue
                try:
                    return cls._large(cls._open(name), capacity, slot)
                except FileNotFoundError:
                    continue  # it has gone meanwhile
            channel = cls._open(name)
            del made
            channel.created = True
            return channel

    @staticmethod
    def _large(channel, capacity, slot):
        if channel._capacity >= capacity and channel._slot >= slot:
            return channel
        channel.close()
        _fail(errno.EMEDIUMTYPE, "The channel that exists is smaller.")

    def use_layout(self, layout):
        """Says which layout the messages have: a class that NativeIpc wrote, or its fingerprint. Where that was said
        before, in whatever language, it verifies that it is the same: OSError (EPROTOTYPE) when it is not, or when
        nothing was said and the channel is open for reading only."""
        fingerprint, name = getattr(layout, "FINGERPRINT", layout), getattr(layout, "__name__", "this")
        found = self._long[_FINGERPRINT]
        tries = 0
        while not found and self._can_write:
            if _try_lock(self._file, self._project, _MAKING):
                found = self._long[_FINGERPRINT]
                if not found:
                    found = self._long[_FINGERPRINT] = fingerprint
                _unlock(self._file, self._project, _MAKING)
                break
            tries += 1
            if tries > 1000:
                _fail(errno.EAGAIN, "Another process is about to say which layout the channel has, and stopped.")
            time.sleep(0.001)
            found = self._long[_FINGERPRINT]
        if found != fingerprint:
            said = f"fingerprint {found:016x}" if found else "no layout was said yet"
            _fail(errno.EPROTOTYPE, f"The messages have another layout than {name} of this program: {said}, instead of "
                                    f"{fingerprint:016x}")

    @staticmethod
    def remove(name):
        """Removes the name; whoever has the channel open keeps it. Of System V: the segment, and its key file if that
        is empty and not marked (u+x)."""
        path, project = _path(name)
        if project:
            _retry(lambda: _remove_system_v(path, project))
        else:
            os.unlink(path)

    def close(self):
        """Closes the channel. Messages that are read in place must have been released."""
        for view in self._views:
            view.release()
        self._views = []
        if self._map is not None and not self._project:
            try:
                self._map.close()
            except BufferError:
                pass  # somebody still has a message; the memory goes with it
        self._map = None
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _take_role(self, role, timeout):
        """Takes a role; whether the last holder was killed."""
        if not self._can_write:
            _fail(errno.EACCES, "The channel was opened for reading only.")
        note, end, claim = _NOTES[role], _end(timeout), self._claims[role]
        start, namespace = _own_note()
        while True:
            turn = self._word[note // 4]
            # Two of one instance share its file description, so the kernel would let both
            if claim.acquire(blocking=False):
                taken = False
                try:
                    taken = _try_lock(self._file, self._project, role)
                finally:
                    if not taken:
                        claim.release()
                if taken:
                    break
            if _is_over(end):
                _fail(errno.EBUSY, "Another one has the role.")
            _sleep(self._address + note, turn, _slice(end, 0.05))
        was_killed = self._word[note // 4 + 6] != 0
        self._word[note // 4 + 1] = os.getpid()
        self._long[note // 8 + 1] = start
        self._long[note // 8 + 2] = namespace
        self._word[note // 4 + 6] = 1
        self._word[note // 4] = (self._word[note // 4] + 1) & 0xFFFFFFFF
        return was_killed

    def _give_up_role(self, role):
        note = _NOTES[role]
        self._word[note // 4 + 6] = 0
        _unlock(self._file, self._project, role)
        self._claims[role].release()
        self._word[note // 4] = (self._word[note // 4] + 1) & 0xFFFFFFFF
        _wake(self._address + note, _MANY)

    def _show(self, at, value, bell, is_shared, always=False):
        """Stores what is to be seen (a word of 8 bytes; None: of 4), and wakes who sleeps at the bell; killed between
        the two, the kernel does."""
        is_asleep = always or self._word[bell] != 0
        if is_asleep:
            self._begin_ringing(bell, is_shared)
        if at is not None:
            self._long[at] = value
        else:
            self._word[_ENDED] = value
        # A barrier of its own only where those of sleepers do not reach this process
        if not self._barriers:
            _barrier()
        if self._word[bell]:
            is_asleep = True
            self._begin_ringing(bell, is_shared)
        if is_asleep:
            # All, though one sleeps: before it there may be a wait that has ended, of a process that was stopped or
            # killed before its kernel was told.
            _wake(self._address + bell * 4, _MANY)
            _set_pending(None)
            if is_shared:
                self._word[_WAKING] = 0

    def _begin_ringing(self, bell, is_shared):
        if is_shared:
            self._word[_WAKING] = 1  # the kernel wakes one; who is woken meanwhile wakes the others
        _set_pending(self._address + bell * 4)
        self._word[bell] = 0

    def _wait(self, bell, is_shared, has_news, end):
        """Waits until has_news; false when the time has passed."""
        look, slept = 0.001, 0
        while not has_news():
            if _is_over(end):
                return False
            if self._can_write:
                # A sleep is short unless the bell stayed as it was in the sleep before, for one who looked at it before
                # it was set. Where it is set, it is left as it is: who clears it at this moment lets the sleep end at
                # once. Of several that sleep here each sets another number, so that who saw nothing before it was
                # cleared and set again does not sleep.
                most, expected = 0.15, self._word[bell]
                if expected == 0:
                    expected = time.monotonic_ns() & 0x1FFFFFFF | 0x20000000 if is_shared else 1
                    self._word[bell] = expected
                elif expected == slept:
                    most = 5
                slept = expected
                with _FENCE:
                    longest = most if _membarrier(2) else 0.01
                if has_news():
                    if not is_shared:
                        self._word[bell] = 0
                    elif self._word[_WAKING]:
                        _wake(self._address + bell * 4, _MANY)  # the writer may be killed before it has woken all
                    return True
                _sleep(self._address + bell * 4, expected, _slice(end, longest))
                if is_shared and self._word[_WAKING] and has_news():
                    _wake(self._address + bell * 4, _MANY)  # the writer was killed before it had woken all
            else:
                time.sleep(_slice(end, look))
                look = min(look * 2, 0.02)
        return True


def _end(timeout):
    return None if timeout is None else time.monotonic() + timeout


def _is_over(end):
    return end is not None and time.monotonic() >= end


def _slice(end, longest):
    return longest if end is None else max(0.0, min(longest, end - time.monotonic()))


class Ring(_Channel):
    """A ring that is open."""

    _kind = _RING

    @classmethod
    def create(cls, name, capacity, mode=0o600):
        """Makes a ring that must not exist yet. The capacity, in bytes, is rounded up to a power of two."""
        return cls._create(name, cls._size(capacity), 0, mode, False)

    @classmethod
    def create_or_open(cls, name, capacity, mode=0o600):
        """Opens a ring, or makes it; a larger one that exists is fine."""
        return cls._create(name, cls._size(capacity), 0, mode, True)

    @classmethod
    def open(cls, name):
        """Opens a ring that must exist."""
        return cls._open(name)

    @staticmethod
    def _size(capacity):
        if not 1 <= capacity <= 1 << 40:
            raise ValueError("A ring has 1 to 2**40 bytes.")
        return _power_of_two(capacity, 4096)

    @property
    def capacity(self):
        return self._capacity

    @property
    def longest_message(self):
        return min(self._capacity // 2 - 8, 2**31 - 16)

    def open_writer(self, timeout=0):
        """Becomes the writer; OSError (EBUSY) when another one has been it for so long."""
        return _RingWriter(self, timeout)

    def open_reader(self, timeout=0):
        """Becomes the reader; OSError (EBUSY) when another one has been it for so long."""
        return _RingReader(self, timeout)


class _Role:
    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class _Reader(_Role):
    def read(self, timeout=None):
        """The next message, waiting for it; None when the time has passed, or none comes (is_completed)."""
        end = _end(timeout)
        while True:
            message = self.try_read()
            if message is not None:
                return message
            if not self._wait(end) or self.is_completed:
                return None

    def __iter__(self):
        while True:
            message = self.read()
            if message is None:
                return
            yield message


class _RingRole(_Role):
    def _check_positions(self, role):
        # No ring comes to 2**63
        if self._tail % 8 or self._head % 8 or not 0 <= self._tail - self._head <= self._capacity or self._tail >> 63:
            self._ring._give_up_role(role)
            _damaged(f"head {self._head}, tail {self._tail}.")


class _RingWriter(_RingRole):
    def __init__(self, ring, timeout):
        self._ring, self._capacity, self._long = ring, ring._capacity, ring._long
        self.took_over = ring._take_role(_WRITER, timeout)
        self._tail = self._shown = self._long[_TAIL]
        self._head = self._long[_HEAD]
        self._wanted = 0
        self._check_positions(_WRITER)
        ring._show(None, 0, _READER_BELL, False, True)  # the one before may have been killed before it rang

    def close(self):
        """Gives the role up. What was appended and not flushed is gone."""
        if self._ring is not None:
            self._ring._give_up_role(_WRITER)
            self._ring = self._long = None

    def _is_head(self, head):
        return head % 8 == 0 and self._head <= head <= self._shown

    def try_append(self, message):
        """Adds a message to a batch that flush shows; false when there is no room now."""
        message = memoryview(message).cast("B")
        length, ring = len(message), self._ring
        if length > ring.longest_message:
            _fail(errno.EMSGSIZE)
        size = (length + 15) & ~7
        place = self._tail & (self._capacity - 1)
        rest = self._capacity - place
        wanted = size if size <= rest else rest + size
        if self._tail + wanted - self._head > self._capacity:
            head = self._long[_HEAD]
            if not self._is_head(head):
                _damaged(f"head {head}, which was {self._head}, tail {self._shown}.")
            self._head, self._wanted = head, wanted
            if self._tail + wanted - head > self._capacity:
                return False
        if size > rest:
            self._long[(_HEADER + place) // 8] = rest - 8 | 2 << 32
            self._tail += rest
            place = 0
        self._long[(_HEADER + place) // 8] = length | 1 << 32
        start = _HEADER + place + 8
        ring._bytes[start : start + length] = message
        self._tail += size
        return True

    def flush(self):
        """Shows what was appended to the reader, in one step."""
        if self._shown != self._tail:
            self._shown = self._tail
            self._ring._show(_TAIL, self._tail, _READER_BELL, False)

    def try_write(self, message):
        """Writes a message; false when there is no room now."""
        if not self.try_append(message):
            return False
        self.flush()
        return True

    def write(self, message, timeout=None):
        """Writes a message, waiting for room; false when the time has passed."""
        end = _end(timeout)
        while not self.try_write(message):
            self.flush()
            if not self._ring._wait(_WRITER_BELL, False, self._has_news, end):
                return False
        return True

    def complete(self):
        """Says that nothing more comes. The next writer takes that back."""
        self.flush()
        self._ring._show(None, 1, _READER_BELL, False, True)

    def _has_news(self):
        head = self._long[_HEAD]
        return head != self._head and (self._tail + self._wanted - head <= self._capacity or not self._is_head(head))


class _RingReader(_RingRole, _Reader):
    def __init__(self, ring, timeout):
        self._ring, self._capacity, self._long = ring, ring._capacity, ring._long
        self.took_over = ring._take_role(_READER, timeout)
        self._cursor = self._head = self._long[_HEAD]
        self._tail = self._long[_TAIL]
        self._check_positions(_READER)
        ring._show(_HEAD, self._head, _WRITER_BELL, False, True)  # the one before may have been killed before it rang

    def close(self):
        """Gives the role up. What was given and not released is given to the next reader."""
        if self._ring is not None:
            self._ring._give_up_role(_READER)
            self._ring = self._long = None

    @property
    def is_completed(self):
        """Whether nothing more comes, and all was read."""
        return self._ring._word[_ENDED] != 0 and self._long[_TAIL] == self._cursor

    def try_read(self):
        """The next message, a memoryview in place until release; None when there is none now."""
        while True:
            if self._cursor == self._tail:
                tail = self._long[_TAIL]
                if tail == self._cursor:
                    return None
                if tail % 8 or not self._tail <= tail <= self._head + self._capacity:
                    _damaged(f"tail {tail}, which was {self._tail}, head {self._head}.")
                self._tail = tail
            place = self._cursor & (self._capacity - 1)
            word = self._long[(_HEADER + place) // 8]  # once, then checked
            length, kind, rest = word & 0xFFFFFFFF, word >> 32, self._capacity - place
            size = (length + 15) & ~7
            if kind == 1:
                fits = size <= rest and length <= self._ring.longest_message
            else:
                fits = kind == 2 and size == rest and length == rest - 8
            if not fits or size > self._tail - self._cursor:
                _damaged(f"the record at {self._cursor} has kind {kind} and length {length}, tail {self._tail}.")
            self._cursor += size
            if kind == 1:
                start = _HEADER + place + 8
                return self._ring._bytes[start : start + length].toreadonly()

    def _wait(self, end):
        return self._ring._wait(_READER_BELL, False, self._has_news, end)

    def release(self):
        """Gives the room of all messages that were given back to the writer."""
        self._head = self._cursor
        self._ring._show(_HEAD, self._head, _WRITER_BELL, False)

    def _has_news(self):
        return self._long[_TAIL] != self._cursor or self._ring._word[_ENDED] != 0


class Topic(_Channel):
    """A topic that is open."""

    _kind = _TOPIC

    @classmethod
    def create(cls, name, longest_message, history=3, mode=0o600):
        """Makes a topic that must not exist yet. history: how many messages back a reader may be."""
        return cls._create(name, *cls._size(longest_message, history), mode, False)

    @classmethod
    def create_or_open(cls, name, longest_message, history=3, mode=0o600):
        """Opens a topic, or makes it; one with longer messages or more history is fine."""
        return cls._create(name, *cls._size(longest_message, history), mode, True)

    @classmethod
    def open(cls, name, read_only=False):
        """Opens a topic that must exist; one that is mapped for reading only looks for news instead of being woken."""
        return cls._open(name, not read_only)

    @staticmethod
    def _size(longest, history):
        if not 1 <= longest <= (1 << 31) - 128 or not 1 <= history < 1 << 20:
            raise ValueError("A message has 1 to 2**31 - 128 bytes, a history 1 to 2**20 - 1 messages.")
        return _power_of_two(history + 1, 2), _SLOT + (longest + 63) // 64 * 64

    @property
    def longest_message(self):
        return self._slot - _SLOT

    @property
    def history(self):
        return self._capacity - 1

    def open_writer(self, timeout=0):
        """Becomes the writer; OSError (EBUSY) when another one has been it for so long."""
        return _TopicWriter(self, timeout)

    def open_reader(self):
        """A reader, of as many as there are, behind the message that is the latest now."""
        return _TopicReader(self)

    def _start(self, number):
        return _HEADER + (number & (self._capacity - 1)) * self._slot

    def _oldest(self, latest):
        return 1 if latest < self._capacity else latest + 2 - self._capacity


class _TopicWriter(_Role):
    def __init__(self, topic, timeout):
        self._topic = topic
        self.took_over = topic._take_role(_WRITER, timeout)
        self.latest = topic._long[_TAIL]
        if self.latest >> 63:  # no topic comes to that: a stamp is twice the number
            topic._give_up_role(_WRITER)
            _damaged(f"the latest message is {self.latest}.")
        topic._show(None, 0, _READER_BELL, True, True)

    def close(self):
        """Gives the role up."""
        if self._topic is not None:
            self._topic._give_up_role(_WRITER)
            self._topic = None

    def write(self, message):
        """Writes a message; never waits."""
        message, topic = memoryview(message).cast("B"), self._topic
        length = len(message)
        if length > topic.longest_message:
            _fail(errno.EMSGSIZE)
        number = self.latest + 1
        start = topic._start(number)
        topic._long[start // 8] = (2 * number - 1) & _MASK
        _barrier()  # a copy of many bytes may be made by stores that pass earlier ones (movnt)
        topic._word[start // 4 + 2] = length
        topic._bytes[start + _SLOT : start + _SLOT + length] = message
        topic._long[start // 8] = 2 * number & _MASK
        self.latest = number
        topic._show(_TAIL, number, _READER_BELL, True)

    def complete(self):
        """Says that nothing more comes. The next writer takes that back."""
        self._topic._show(None, 1, _READER_BELL, True, True)


class _TopicReader(_Reader):
    def __init__(self, topic):
        self._topic = topic
        self.position = topic._long[_TAIL]
        self.missed = 0

    def close(self):
        """Ends the reader."""
        self._topic = None

    @property
    def is_completed(self):
        """Whether nothing more comes, and all was read."""
        return self._topic._word[_ENDED] != 0 and self._topic._long[_TAIL] == self.position

    def rewind(self):
        """Goes back to the oldest message that is there."""
        self.position = self._topic._oldest(self._topic._long[_TAIL]) - 1

    def try_read(self):
        """A copy of the next message, bytes; None when there is none now."""
        topic = self._topic
        while True:
            latest, number = self._latest(), self.position + 1
            if latest == self.position:
                return None
            oldest = topic._oldest(latest)
            if number < oldest:
                self.missed += oldest - number
                self.position, number = oldest - 1, oldest
            message = self._copy(number)
            if message is not None:
                self.position = number
                return message

    def try_read_latest(self):
        """A copy of the latest message, if it was not given yet; None otherwise."""
        while True:
            latest = self._latest()
            if latest == self.position:
                return None
            message = self._copy(latest)
            if message is not None:
                self.position = latest
                return message

    def _wait(self, end):
        return self._topic._wait(_READER_BELL, True, self._has_news, end)

    def _latest(self):
        latest = self._topic._long[_TAIL]
        if latest < self.position:
            _damaged(f"the latest message is {latest}, which was {self.position}.")
        return latest

    def _copy(self, number):
        topic = self._topic
        start = topic._start(number)
        whole = 2 * number & _MASK
        if topic._long[start // 8] != whole:
            if number >= topic._oldest(topic._long[_TAIL]):
                _damaged(f"message {number} is not where it belongs.")
            return None
        length = topic._word[start // 4 + 2]
        if length > topic.longest_message:
            if topic._long[start // 8] == whole:
                _damaged(f"message {number} has length {length}.")
            return None
        message = bytes(topic._bytes[start + _SLOT : start + _SLOT + length])
        return message if topic._long[start // 8] == whole else None

    def _has_news(self):
        return self._topic._long[_TAIL] != self.position or self._topic._word[_ENDED] != 0
