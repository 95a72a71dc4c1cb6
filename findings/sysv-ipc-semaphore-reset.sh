#!/usr/bin/env bash
# Python's sysv_ipc.Semaphore(key, IPC_CREAT, initial_value=1) gives an existing semaphore that value: whoever opens a
# lock so takes it from its holder.
# Guess: the initial value is for a semaphore that the call makes, as with sem_open and O_CREAT; SharedMemory of the
# same module leaves the bytes of a segment that exists.
# Seen (python3-sysv-ipc 1.0.0): without IPC_EXCL the value is set whenever the call can open the set. Without an
# initial_value it is set to 0. Only IPC_CREX (and opening without a flag when it exists) is safe.
. "$(dirname "$0")/lib.sh"
unpack python3-sysv-ipc=1.0.0-2+b8
cat >lock.py <<'P'
import sys, sysv_ipc
if sys.argv[1] == "hold":
    lock = sysv_ipc.Semaphore(4711, sysv_ipc.IPC_CREX, initial_value=1)
    segment = sysv_ipc.SharedMemory(4711, sysv_ipc.IPC_CREX, size=5, init_character=b".")
    segment.write(b"taken")
    lock.acquire()
    print("held, value", lock.value, flush=True)
    sys.stdin.readline()
    print("value", lock.value)
elif sys.argv[1] == "create":
    segment = sysv_ipc.SharedMemory(4711, sysv_ipc.IPC_CREAT, size=5, init_character=b".")
    lock = sysv_ipc.Semaphore(4711, sysv_ipc.IPC_CREAT, initial_value=1)
    lock.acquire(0)
    print("got it, segment", segment.read().decode())
elif sys.argv[1] == "create-0":
    lock = sysv_ipc.Semaphore(4711, sysv_ipc.IPC_CREAT)
    print("value", lock.value)
else:
    try:
        sysv_ipc.Semaphore(4711).acquire(0)
    except sysv_ipc.BusyError:
        print("busy")
P
export PYTHONPATH=$work/root/usr/lib/python3/dist-packages
run() { /usr/bin/python3 lock.py "$@"; }
coproc run hold
read -r line <&"${COPROC[0]}"
expect 'the holder' 'held, value 0' "$line"
expect 'one that opens it' busy "$(run open)"
expect 'one that opens it by IPC_CREAT' 'got it, segment taken' "$(run create)"
perl -e 'semctl(semget(4711, 1, 0), 0, 16, 3) or die $!' # SETVAL
expect 'IPC_CREAT without a value, where it was 3' 'value 0' "$(run create-0)"
echo >&"${COPROC[1]}"
finish
