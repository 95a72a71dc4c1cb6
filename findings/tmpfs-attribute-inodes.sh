#!/usr/bin/env bash
# On tmpfs, and so in /dev/shm, an extended attribute is paid for with inodes: files cannot be made although `df -i` has
# counted fewer files than there may be.
# Guess: an attribute takes memory and counts against size=, as a file's bytes do, or against nothing; nr_inodes= is a
# number of files.
# Seen (Linux 6.18): with nr_inodes=10 and the folder and five files made, four attributes of 900 bytes take all four
# inodes that were free, and the next file is refused with ENOSPC, while no byte of size= is used. The kernel counts
# nr_inodes= in units of 1,024 bytes.
. "$(dirname "$0")/lib.sh"
printf 'kernel: %s\n' "$(uname -r)"
mkdir small
mount -t tmpfs -o size=1m,nr_inodes=10 none small
trap 'umount "$work/small"; rm -rf "$work"' EXIT
free() { df --output=iavail,used small | tail -n 1 | awk '{ print $1 " inodes free, " $2 " KiB used" }'; }
for file in 1 2 3 4 5; do : >"small/$file"; done
expect 'five files' '4 inodes free, 0 KiB used' "$(free)"
python3 -c 'import os
for file in "1234": os.setxattr("small/" + file, "user.note", 900 * b"a")'
expect 'four attributes' '0 inodes free, 0 KiB used' "$(free)"
expect 'a sixth file' 'No space left on device' "$({ : >small/6; } 2>&1 | sed 's/.*: //')"
finish
