#!/usr/bin/env bash
# `ipcrm --all` of util-linux 2.41 empties /dev/shm as well, and stops halfway at the first folder there.
# Guess: it removes what it did before: System V segments, queues and sets; POSIX objects only when they are named.
# Seen (util-linux 2.41): all files of /dev/shm go, FIFOs and links too, and the queues of /dev/mqueue, if that is
# mounted; else they stay, and nothing is said. A folder in /dev/shm ends it with "name failed: Is a directory", after
# the System V segments and before the queues and sets. 2.38 removes System V alone.
. "$(dirname "$0")/lib.sh"
unpack_pool u/util-linux/util-linux_2.41-5 g/glibc/libc6_2.41-12
libraries=$work/root/usr/lib/x86_64-linux-gnu
new() { "$libraries/ld-linux-x86-64.so.2" --library-path "$libraries" "$work/root/usr/bin/ipcrm" --all 2>&1; }
mkdir queues && mount -t mqueue mqueue queues
trap 'umount "$work/queues"; rm -rf "$work"' EXIT
make() {
    ipcmk -M 100 >/dev/null && ipcmk -Q >/dev/null && ipcmk -S 1 >/dev/null
    echo data >/dev/shm/segment
    mkfifo /dev/shm/fifo
    touch queues/jobs
}
left() {
    printf 'segments %s, queues %s, sets %s, files %s, POSIX queues %s' "$(awk 'NR > 1' /proc/sysvipc/shm | wc -l)" \
        "$(awk 'NR > 1' /proc/sysvipc/msg | wc -l)" "$(awk 'NR > 1' /proc/sysvipc/sem | wc -l)" \
        "$(find /dev/shm -type f,p | wc -l)" "$(find queues -type f | wc -l)"
}
code() { local code=0; "$@" >said || code=$?; echo "$code"; }
make
expect '2.38, exit code' '0' "$(code ipcrm --all)"
expect '2.38 leaves' 'segments 0, queues 0, sets 0, files 2, POSIX queues 1' "$(left)"
rm /dev/shm/*
make
mkdir /dev/shm/folder
expect '2.41 with a folder, exit code' '1' "$(code new)"
expect 'it says' 'ipcrm: name failed: Is a directory' "$(sed 's,^.*/,,' said)"
expect 'and leaves' 'segments 0, queues 1, sets 1' "$(left | cut -d , -f 1-3)"
rm -r /dev/shm/*
echo data >/dev/shm/segment
! mountpoint -q /dev/mqueue || umount /dev/mqueue
expect '2.41, exit code' '0' "$(code new)"
expect '2.41 leaves' 'segments 0, queues 0, sets 0, files 0, POSIX queues 1' "$(left)"
[ -d /dev/mqueue ] || exit 2
mount --bind queues /dev/mqueue
expect '2.41 with /dev/mqueue, exit code' '0' "$(code new)"
expect 'and leaves' 'segments 0, queues 0, sets 0, files 0, POSIX queues 0' "$(left)"
umount /dev/mqueue
finish
