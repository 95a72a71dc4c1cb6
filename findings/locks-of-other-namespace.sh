#!/usr/bin/env bash
# In a PID namespace, /proc/locks and lslocks leave out the locks of processes outside of it, though these locks hold.
# Guess: such a lock has a row whose PID is 0 or -1, as that of an open file description lock has.
# Seen (Linux 6.18, util-linux 2.38.1): there is no row, for flock(2) and for record locks; flock -n fails all the same,
# and F_GETLK names 0 as the holder. So in a container an empty list does not mean that a file on a shared volume is
# free, and a holder of 0 does not mean that it has gone.
. "$(dirname "$0")/lib.sh"
printf 'kernel: %s\n' "$(uname -r)"
unpack util-linux=2.38.1-5+deb12u3
cat >look.py <<'P'
import fcntl, os, struct, subprocess, sys
def rows():
    inode = ":%d " % os.stat("/dev/shm/file").st_ino
    return sum(inode in row for row in open("/proc/locks"))
listed = subprocess.run([sys.argv[1], "--noheadings", "--output", "PATH"], capture_output=True, text=True).stdout
free = subprocess.run(["flock", "-n", "/dev/shm/file", "true"]).returncode == 0
with open("/dev/shm/file", "r+b") as file:
    asked = struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0)
    kind, _, _, _, holder = struct.unpack("hhqqi4x", fcntl.fcntl(file, fcntl.F_GETLK, asked))
print("rows %d, by lslocks %d, flock %s, record lock %s, holder %s" % (rows(), listed.split().count("/dev/shm/file"),
    "free" if free else "held", "free" if kind == fcntl.F_UNLCK else "held", "0" if holder == 0 else "a number"))
P
cat >hold.py <<'P'
import fcntl, sys
with open("/dev/shm/file", "w+b") as file:
    fcntl.flock(file, fcntl.LOCK_EX)
    fcntl.lockf(file, fcntl.LOCK_EX)
    print("held", flush=True)
    sys.stdin.readline()
P
coproc exec /usr/bin/python3 hold.py
read -r line <&"${COPROC[0]}"
expect 'the holder' held "$line"
look=(/usr/bin/python3 look.py root/usr/bin/lslocks)
expect 'in the same namespace' 'rows 2, by lslocks 2, flock held, record lock held, holder a number' "$("${look[@]}")"
expect 'in a namespace below' 'rows 0, by lslocks 0, flock held, record lock held, holder 0' \
    "$(unshare --pid --fork --mount-proc "${look[@]}")"
echo >&"${COPROC[1]}"
finish
