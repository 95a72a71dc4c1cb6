#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A Python program that shares segments and semaphores.

POSIX segments through multiprocessing.shared_memory, POSIX semaphores through the C library (ctypes), System V through
Debian's python3-sysv-ipc. It speaks the line protocol of tests/peers/PROTOCOL.md.

multiprocessing has a resource tracker that unlinks, when this process ends, every segment it has opened, also those of
others, and that takes ASCII names only. It is kept out: this program removes only on `shm remove`. Python 3.13 has
track=False for that.
"""

import ctypes
import errno
import os
import platform
import struct
import sys
import urllib.parse
from multiprocessing import resource_tracker, shared_memory

import _posixshmem
import sysv_ipc

libc = ctypes.CDLL(None, use_errno=True)
libc.sem_open.restype = ctypes.c_void_p
for function in ("sem_wait", "sem_trywait", "sem_post", "sem_close"):
    getattr(libc, function).argtypes = [ctypes.c_void_p]
libc.sem_getvalue.argtypes = [ctypes.c_void_p, ctypes.POINTER(ctypes.c_int)]

KINDS = {
    errno.EACCES: "PermissionDenied",
    errno.EPERM: "PermissionDenied",
    errno.EEXIST: "AlreadyExists",
    errno.ENOENT: "NotFound",
    errno.ENAMETOOLONG: "KeyError",
    errno.ENOSPC: "OutOfResources",
    errno.ENOMEM: "OutOfResources",
}


class Unsupported(Exception):
    pass


def say(text):
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def parse(text):
    """The type (0 for POSIX, else the System V project id) and the native key of a key text."""
    scheme, path = text.split(":", 1)
    native = urllib.parse.unquote(path.split("?")[0])
    if scheme == "posix":
        return 0, native
    return (81 if scheme == "systemv" else int(scheme.removeprefix("systemv-"))), native


def ftok(kind, native, create=False):
    if create:
        try:
            os.close(os.open(native, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o640))
        except FileExistsError:
            pass
    elif not os.path.exists(native):
        raise FileNotFoundError(errno.ENOENT, "no key file")
    return sysv_ipc.ftok(native, kind, True)


class PosixSemaphore:
    def __init__(self, name, flags, count):
        self.handle = libc.sem_open(name.encode(), ctypes.c_int(flags), ctypes.c_uint(0o600), ctypes.c_uint(count))
        if not self.handle:
            raise OSError(ctypes.get_errno(), "sem_open")

    def _call(self, function):
        while function(self.handle) != 0:
            number = ctypes.get_errno()
            if number == errno.EAGAIN:
                return False
            if number != errno.EINTR:
                raise OSError(number, function.__name__)
        return True

    def acquire(self):
        self._call(libc.sem_wait)

    def try_acquire(self):
        return self._call(libc.sem_trywait)

    def release(self, permits=1):
        for _ in range(permits):
            self._call(libc.sem_post)

    def value(self):
        value = ctypes.c_int()
        libc.sem_getvalue(self.handle, ctypes.byref(value))
        return value.value

    def close(self):
        libc.sem_close(self.handle)


class SystemVSemaphore:
    """undo_all: for a lock, both ways, as Qt; else only what is acquired comes back when the process ends."""

    def __init__(self, key, flags, count, undo_all=False):
        self.semaphore = sysv_ipc.Semaphore(key, flags, 0o600, count) if flags else sysv_ipc.Semaphore(key)
        self.undo_all = undo_all

    def acquire(self):
        self.semaphore.undo = True
        self.semaphore.acquire()

    def try_acquire(self):
        self.semaphore.undo = True
        try:
            self.semaphore.acquire(0)
            return True
        except sysv_ipc.BusyError:
            return False

    def release(self, permits=1):
        self.semaphore.undo = self.undo_all
        self.semaphore.release(permits)

    def value(self):
        return self.semaphore.value

    def close(self):
        pass


def untracked(name, **arguments):
    if sys.version_info >= (3, 13):
        return shared_memory.SharedMemory(name, track=False, **arguments)
    register, resource_tracker.register = resource_tracker.register, lambda *_: None
    try:
        return shared_memory.SharedMemory(name, **arguments)
    finally:
        resource_tracker.register = register


class Segment:
    def __init__(self, kind, native, size, writable):
        self.kind, self.native, self.writable, self.lock_object, self.held = kind, native, writable, None, False
        if kind == 0:
            if not writable:
                raise Unsupported("multiprocessing.shared_memory has no attach for reading only")
            self.shared = untracked(native.lstrip("/"), create=size is not None, size=size or 0)
            self.size = self.shared.size
        else:
            key = ftok(kind, native, create=size is not None)
            if size is not None:
                # it fills new segments, with spaces by default
                self.shared = sysv_ipc.SharedMemory(key, sysv_ipc.IPC_CREX, 0o600, size, b"\0")
            else:
                self.shared = sysv_ipc.SharedMemory(key)
                if not writable:
                    self.shared.detach()
                    self.shared.attach(None, sysv_ipc.SHM_RDONLY)
            self.size = self.shared.size

    def read(self, offset, count):
        return bytes(self.shared.buf[offset : offset + count]) if self.kind == 0 else self.shared.read(count, offset)

    def write(self, offset, data):
        if self.kind == 0:
            self.shared.buf[offset : offset + len(data)] = data
        else:
            self.shared.write(data, offset)

    def lock(self):
        if self.lock_object is None:
            if self.kind == 0:
                self.lock_object = PosixSemaphore(self.native, os.O_CREAT, 1)
            else:
                key = ftok(self.kind, self.native)
                try:
                    self.lock_object = SystemVSemaphore(key, sysv_ipc.IPC_CREX, 1, undo_all=True)
                except sysv_ipc.ExistentialError:
                    self.lock_object = SystemVSemaphore(key, 0, 0, undo_all=True)
        return self.lock_object

    def close(self):
        if self.kind == 0:
            self.shared.close()
        else:
            self.shared.detach()
        if self.lock_object is not None:
            self.lock_object.close()


segments = {}
semaphores = {}


def segment_command(verb, words):
    if verb in ("create", "open"):
        kind, native = parse(words[1])
        made = Segment(kind, native, int(words[2]) if verb == "create" else None, verb == "create" or words[2] == "rw")
        segments[words[0]] = made
        return f"ok {made.size} {'created' if verb == 'create' else 'opened'}"
    if verb == "remove":
        kind, native = parse(words[0])
        if kind == 0:
            try:
                _posixshmem.shm_unlink(native)
            except FileNotFoundError:
                return "ok false"
            libc.sem_unlink(native.encode())
            return "ok true"
        key = ftok(kind, native)
        try:
            sysv_ipc.Semaphore(key).remove()
        except sysv_ipc.ExistentialError:
            pass
        sysv_ipc.SharedMemory(key).remove()
        os.unlink(native)
        return "ok true"

    segment = segments[words[0]]
    if verb == "size":
        return f"ok {segment.size}"
    if verb == "write":
        if not segment.writable:
            return "error PermissionDenied it was attached for reading"
        segment.write(int(words[1]), bytes.fromhex(words[2]))
        return "ok"
    if verb == "read":
        return "ok " + segment.read(int(words[1]), int(words[2])).hex()
    if verb == "add":
        lock, offset = segment.lock(), int(words[1])
        say("locking")
        for _ in range(int(words[2])):
            lock.acquire()
            (number,) = struct.unpack("=I", segment.read(offset, 4))
            segment.write(offset, struct.pack("=I", number + 1))
            lock.release()
        return "ok"
    if verb == "lock":
        lock = segment.lock()
        say("locking")
        lock.acquire()
        return "ok"
    if verb == "trylock":
        return "ok true" if segment.lock().try_acquire() else "ok false"
    if verb == "unlock":
        segment.lock().release()
        return "ok"
    if verb == "close":
        segments.pop(words[0]).close()
        return "ok"
    raise Unsupported("no such command")


def semaphore_command(verb, words):
    if verb in ("create", "open", "createoropen"):
        kind, native = parse(words[1])
        count = int(words[2]) if verb != "open" else 0
        if kind == 0:
            flags = {"create": os.O_CREAT | os.O_EXCL, "open": 0, "createoropen": os.O_CREAT}[verb]
            made = PosixSemaphore(native, flags, count)
        else:
            key = ftok(kind, native, create=verb != "open")
            made = SystemVSemaphore(
                key, {"create": sysv_ipc.IPC_CREX, "open": 0, "createoropen": sysv_ipc.IPC_CREAT}[verb], count)
        semaphores[words[0]] = made
        return "ok created" if verb == "create" else "ok opened"
    if verb == "remove":
        kind, native = parse(words[0])
        if kind == 0:
            return "ok true" if libc.sem_unlink(native.encode()) == 0 else "ok false"
        sysv_ipc.Semaphore(ftok(kind, native)).remove()
        os.unlink(native)
        return "ok true"

    semaphore = semaphores[words[0]]
    permits = int(words[1]) if len(words) > 1 else 1
    if verb == "acquire":
        say("acquiring")
        for _ in range(permits):
            semaphore.acquire()
        return "ok"
    if verb == "tryacquire":
        return "ok true" if semaphore.try_acquire() else "ok false"
    if verb == "release":
        semaphore.release(permits)
        return "ok"
    if verb == "produce":
        for _ in range(permits):
            semaphore.release()
        return "ok"
    if verb == "value":
        return f"ok {semaphore.value()}"
    if verb == "close":
        semaphores.pop(words[0]).close()
        return "ok"
    raise Unsupported("no such command")


def close_all():
    for opened in [*segments.values(), *semaphores.values()]:
        opened.close()
    segments.clear()
    semaphores.clear()


def main():
    if sys.argv[1:] == ["--version"]:
        return say(f"Python {platform.python_version()}, sysv_ipc {sysv_ipc.VERSION}")
    for line in sys.stdin:
        first, *words = line.split()
        try:
            if first == "shm":
                say(segment_command(words[0], words[1:]))
            elif first == "sem":
                say(semaphore_command(words[0], words[1:]))
            elif first in ("reset", "quit"):
                close_all()
                say("ok")
                if first == "quit":
                    return None
            elif first == "exit":
                say("ok")
                os._exit(0)
            else:
                raise Unsupported("no such command")
        except Unsupported as failure:
            say(f"error Unsupported {failure}")
        except sysv_ipc.ExistentialError as failure:
            kind = "AlreadyExists" if "exists with" in str(failure) or "already" in str(failure) else "NotFound"
            say(f"error {kind} {failure}")
        except sysv_ipc.PermissionsError as failure:
            say(f"error PermissionDenied {failure}")
        except sysv_ipc.Error as failure:
            say(f"error Unknown {failure}")
        except OSError as failure:
            say(f"error {KINDS.get(failure.errno, 'Unknown')} {failure}")
        except (ValueError, KeyError, IndexError) as failure:
            say(f"error Usage {type(failure).__name__} {failure}")


main()
