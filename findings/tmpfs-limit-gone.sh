#!/usr/bin/env bash
# A `/dev/shm` without a limit of bytes or of files never gets one, and one whose limit is taken away does not get it
# back, however empty it is.
# Guess: `mount -o remount,size=…` works where less than that is used.
# Seen (Linux 6.18): from size=0 or nr_inodes=0 to any limit the remount fails, "bad option" (EINVAL); limits that are
# there can be made larger, smaller or none. Only another mount has a limit again, and the objects stay in the first.
. "$(dirname "$0")/lib.sh"
printf 'kernel: %s\n' "$(uname -r)"
mkdir memory
mount -t tmpfs -o size=4m,nr_inodes=1000 tmpfs memory
trap 'umount "$work/memory"; rm -rf "$work"' EXIT
remount() { mount -o "remount,$1" memory 2>/dev/null && echo works || echo refused; }
for limit in size=8m size=2m nr_inodes=2000 nr_inodes=500; do expect "$limit" 'works' "$(remount $limit)"; done
expect 'used' '0 bytes' "$(du -s --block-size=1 memory | cut -f 1) bytes"
expect 'size=0' 'works' "$(remount size=0)"
expect 'then size=2m' 'refused' "$(remount size=2m)"
expect 'then size=90%' 'refused' "$(remount size=90%)"
expect 'nr_inodes=0' 'works' "$(remount nr_inodes=0)"
expect 'then nr_inodes=500' 'refused' "$(remount nr_inodes=500)"
finish
