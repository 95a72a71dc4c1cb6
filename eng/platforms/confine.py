#!/usr/bin/python3
"""Runs a program under a filter of system calls that it cannot take off, by libseccomp.

    confine.py profile FILE COMMAND...     a profile of Docker's and Podman's form, for a container without more rights
    confine.py list FILE COMMAND...        only the calls of a list, one a line, as systemd's SystemCallFilter= (EPERM);
                                           one with ENOSYS behind it is not there
    confine.py gvisor COMMAND...           without what gVisor does not have: leases, locks of open file descriptions,
                                           files without a name, io_uring, futex_waitv
    confine.py names PREFIX COMMAND...     /dev/shm has only names that begin with PREFIX, as AppArmor rules of a strict
                                           snap say: others are refused with EACCES
"""
import ctypes
import json
import os
import sys

ALLOW, LOG_ERRNO, NOTIFY = 0x7FFF0000, 0x00050000, 0x7FC00000
OPERATIONS = {"SCMP_CMP_NE": 1, "SCMP_CMP_LT": 2, "SCMP_CMP_LE": 3, "SCMP_CMP_EQ": 4, "SCMP_CMP_GE": 5,
              "SCMP_CMP_GT": 6, "SCMP_CMP_MASKED_EQ": 7}
ENOSYS, EPERM, EACCES, EINVAL, EOPNOTSUPP = 38, 1, 13, 22, 95
# What a container of Docker or Podman has.
CAPABILITIES = {"CAP_" + name for name in (
    "CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID", "SETFCAP", "SETPCAP",
    "NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE")}

library = ctypes.CDLL("libseccomp.so.2", use_errno=True)


class Comparison(ctypes.Structure):
    _fields_ = [("argument", ctypes.c_uint), ("operation", ctypes.c_int), ("a", ctypes.c_uint64),
                ("b", ctypes.c_uint64)]


class Data(ctypes.Structure):
    _fields_ = [("number", ctypes.c_int), ("architecture", ctypes.c_uint32), ("pointer", ctypes.c_uint64),
                ("arguments", ctypes.c_uint64 * 6)]


class Notice(ctypes.Structure):
    _fields_ = [("id", ctypes.c_uint64), ("process", ctypes.c_uint32), ("flags", ctypes.c_uint32), ("data", Data)]


class Answer(ctypes.Structure):
    _fields_ = [("id", ctypes.c_uint64), ("value", ctypes.c_int64), ("error", ctypes.c_int32),
                ("flags", ctypes.c_uint32)]


library.seccomp_init.restype = ctypes.c_void_p
library.seccomp_rule_add_array.argtypes = [
    ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint, ctypes.POINTER(Comparison)]
for function in ("seccomp_load", "seccomp_notify_fd", "seccomp_attr_set"):
    getattr(library, function).argtypes = [ctypes.c_void_p] + (
        [ctypes.c_int, ctypes.c_uint32] if function == "seccomp_attr_set" else [])


def refuse(number):
    return LOG_ERRNO | number


class Filter:
    def __init__(self, default):
        self.default = default
        self.context = library.seccomp_init(ctypes.c_uint32(default))

    def rule(self, name, action, *comparisons):
        number = library.seccomp_syscall_resolve_name(name.encode())
        if number < 0 or action == self.default:
            return  # another processor's, or younger than the library
        made = (Comparison * max(1, len(comparisons)))(*(Comparison(*words) for words in comparisons))
        error = library.seccomp_rule_add_array(self.context, action, number, len(comparisons), made)
        if error < 0 and error != -17:  # EEXIST: said twice
            sys.exit(f"confine: {name}: {os.strerror(-error)}")

    def load(self):
        error = library.seccomp_load(self.context)
        if error:
            sys.exit(f"confine: {os.strerror(-error)}")


def action_of(word, number):
    return {"SCMP_ACT_ALLOW": ALLOW, "SCMP_ACT_ERRNO": refuse(EPERM if number is None else number)}[word]


def profile(path):
    with open(path, encoding="utf-8") as file:
        text = json.load(file)
    made = Filter(action_of(text["defaultAction"], text.get("defaultErrnoRet")))
    kernel = tuple(map(int, os.uname().release.split("-")[0].split(".")[:2]))
    for entry in text["syscalls"]:
        includes, excludes = entry.get("includes") or {}, entry.get("excludes") or {}
        wanted = set(includes.get("caps") or []), set(excludes.get("caps") or [])
        if not wanted[0] <= CAPABILITIES or wanted[1] & CAPABILITIES:
            continue
        if includes.get("arches") and not {"amd64", "x86_64"} & set(includes["arches"]) or \
                {"amd64", "x86_64"} & set(excludes.get("arches") or []):
            continue
        if includes.get("minKernel") and tuple(map(int, includes["minKernel"].split("."))) > kernel:
            continue
        number = entry.get("errnoRet")
        for name in entry.get("names") or [entry["name"]]:
            made.rule(name, action_of(entry["action"], number), *(
                (one["index"], OPERATIONS[one["op"]], one["value"], one.get("valueTwo", 0))
                for one in entry.get("args") or []))
    made.load()


def allowed(path):
    made = Filter(refuse(EPERM))
    with open(path, encoding="utf-8") as file:
        for line in file:
            name, *answer = line.split()
            made.rule(name, refuse(ENOSYS) if answer else ALLOW)
    made.rule("execve", ALLOW)
    made.load()


def gvisor():
    made = Filter(ALLOW)
    for command in (1024, 1025, 36, 37, 38):  # F_SETLEASE, F_GETLEASE, F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW
        made.rule("fcntl", refuse(EINVAL), (1, OPERATIONS["SCMP_CMP_EQ"], command))
    made.rule("openat", refuse(EOPNOTSUPP), (2, OPERATIONS["SCMP_CMP_MASKED_EQ"], 0x400000, 0x400000))
    for name in ("io_uring_setup", "io_uring_enter", "io_uring_register"):
        made.rule(name, refuse(ENOSYS))
    # libseccomp 2.5.4 does not know its name
    library.seccomp_rule_add_array(made.context, refuse(ENOSYS), 449, 0, (Comparison * 1)())
    made.load()


# The argument with a path, of each call that makes, opens or removes a name.
PATHS = {"open": [0], "openat": [1], "unlink": [0], "unlinkat": [1], "link": [0, 1], "linkat": [1, 3],
         "rename": [0, 1], "renameat": [1, 3], "renameat2": [1, 3]}
FOLDER = "/dev/shm/"


def is_refused(notice, numbers, prefix):
    with open(f"/proc/{notice.process}/mem", "rb", buffering=0) as memory:
        for index in PATHS[numbers[notice.data.number]]:
            memory.seek(notice.data.arguments[index])
            path = memory.read(512).split(b"\0")[0].decode(errors="replace")
            rest = path[len(FOLDER):]
            if path.startswith(FOLDER) and rest and not rest.startswith((prefix, "sem." + prefix)):
                return True
            # A file without a name, which AppArmor sees as one with a name that is not the snap's
            if path.rstrip("/") == FOLDER.rstrip("/") and notice.data.arguments[2] & 0x400000:
                return True
    return False


def names(prefix, command):
    """The filter asks this process, which reads the path and says no, or lets the call go on: good enough for a test,
    not for security, since the path may change meanwhile."""
    made = Filter(ALLOW)
    library.seccomp_attr_set(made.context, 3, 1)  # SCMP_FLTATR_CTL_NNP
    for name in PATHS:
        made.rule(name, NOTIFY)
    numbers = {library.seccomp_syscall_resolve_name(name.encode()): name for name in PATHS}
    reading, writing = os.pipe()
    waiting, going = os.pipe()
    process = os.fork()
    if process == 0:
        # The child loads the filter, and hands its descriptor to the parent by number: pidfd_getfd(2).
        made.load()
        os.write(writing, str(library.seccomp_notify_fd(made.context)).encode())
        os.read(waiting, 1)  # execve(2) closes the descriptor
        os.execvp(command[0], command)
    libc = ctypes.CDLL(None, use_errno=True)
    number = int(os.read(reading, 16))
    listener = libc.syscall(438, libc.syscall(434, process, 0), number, 0)  # pidfd_getfd, pidfd_open
    if listener < 0:
        sys.exit(f"confine: pidfd_getfd: {os.strerror(ctypes.get_errno())}")
    os.write(going, b"g")
    helper = os.fork()
    if helper == 0:
        while True:
            notice, answer = Notice(), Answer()
            if library.seccomp_notify_receive(listener, ctypes.byref(notice)) != 0:
                continue
            answer.id, answer.flags = notice.id, 1  # SECCOMP_USER_NOTIF_FLAG_CONTINUE
            try:
                if is_refused(notice, numbers, prefix):
                    answer.flags, answer.error = 0, -EACCES
            except OSError:
                pass  # it has ended
            library.seccomp_notify_respond(listener, ctypes.byref(answer))
    _, status = os.waitpid(process, 0)
    os.kill(helper, 9)
    sys.exit(os.waitstatus_to_exitcode(status) & 0xFF)


if __name__ == "__main__":
    verb, *words = sys.argv[1:]
    if verb == "profile":
        profile(words.pop(0))
    elif verb == "list":
        allowed(words.pop(0))
    elif verb == "gvisor":
        gvisor()
    else:
        names(words[0], words[1:])
    os.execvp(words[0], words)
