#!/usr/bin/env bash
# A /dev/shm without a limit says that it has no room: 0 blocks, 0 free, 0 used, whatever is in it.
# Guess: where tmpfs may grow as it likes (size=0, what `podman --shm-size=0` asks for), statvfs gives the memory of
# the machine, or a huge number.
# Seen (Linux 6.18): f_blocks, f_bfree and f_bavail are 0 before and after a file of 1 MB that is written without an
# error. df shows 0 used, and leaves the file system out when it lists all. A program that asks for free space before it
# makes a segment refuses on the one /dev/shm that has no bound.
. "$(dirname "$0")/lib.sh"
printf 'kernel: %s\n' "$(uname -r)"
mkdir unbounded
mount -t tmpfs -o size=0 none unbounded
trap 'umount "$work/unbounded"; rm -rf "$work"' EXIT
room() { stat -f -c '%b blocks, %f free, %a for users' unbounded; }
expect 'empty' '0 blocks, 0 free, 0 for users' "$(room)"
head -c 1000000 /dev/zero >unbounded/file
expect 'with a file' '0 blocks, 0 free, 0 for users' "$(room)"
expect 'the file' '1000000 bytes, 1960 blocks' "$(stat -c '%s bytes, %b blocks' unbounded/file)"
expect 'df of it' '0 0 0' "$(df --output=size,used,avail unbounded | tail -n 1 | xargs)"
expect 'lines of it among all of df' 0 "$(df --output=target 2>/dev/null | grep -c "$work/unbounded" || true)"
finish
