#!/usr/bin/env bash
# A lock of a file that was opened through bindfs, mergerfs or unionfs-fuse does not meet one of the same file below the
# mount, flock(2) as little as a record lock; where bindfs forwards locks, record locks do not exclude above it.
# Guess: the locks are those of the file below, at least where bindfs is told to forward them.
# Seen (bindfs 1.14.7, mergerfs 2.33.5, unionfs-fuse 1.0): both sides hold the exclusive lock at once, in either order.
# With bindfs's `--enable-lock-forwarding --multithreaded` the two sides exclude each other, and so do two programs that
# use flock through the mount, but two that use record locks through it are both in.
. "$(dirname "$0")/lib.sh"
unpack unionfs-fuse=1.0-1+b1 mergerfs=2.33.5-1 bindfs=1.14.7-1 libfuse2=2.9.9-6+b1 libfuse3-3=3.14.0-4
printf 'kernel: %s\n' "$(uname -r)"
export LD_LIBRARY_PATH=$work/root/usr/lib/x86_64-linux-gnu:$work/root/lib/x86_64-linux-gnu
mkdir branch mount
cat >both.py <<'P'
import fcntl, os, sys
def holders(name, first, second):
    name += sys.argv[1]
    lock = getattr(fcntl, sys.argv[1])
    held = os.open(first + "/" + name, os.O_RDWR)
    lock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    child = os.fork()
    if child == 0:
        try:
            lock(os.open(second + "/" + name, os.O_RDWR), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os._exit(1)
        os._exit(0)
    return "both" if os.waitpid(child, 0)[1] == 0 else "one"
print(holders("first", "mount", "branch"), holders("second", "branch", "mount"), holders("third", "mount", "mount"))
P
locks() { # COMMAND...
    PATH=$work/root/usr/bin:$PATH "$@"
    touch branch/{first,second,third}{flock,lockf}
    echo "flock $(/usr/bin/python3 both.py flock), record $(/usr/bin/python3 both.py lockf)"
    umount mount
}
apart='flock both both one, record both both one'
expect 'bindfs' "$apart" "$(locks bindfs branch mount)"
expect 'mergerfs' "$apart" "$(locks mergerfs branch mount)"
expect 'unionfs-fuse' "$apart" "$(locks unionfs branch=RW mount)"
expect 'bindfs, forwarding' 'flock one one one, record one one both' \
    "$(locks bindfs --enable-lock-forwarding --multithreaded branch mount)"
finish
