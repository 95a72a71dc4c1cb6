#!/usr/bin/env bash
# Below a mount of unionfs-fuse or mergerfs, the System V key of a file changes when the kernel has forgotten the file,
# as it does when memory is short.
# Guess: the inode number is that of the file below, or one that lasts as long as the mount.
# Seen (unionfs-fuse 1.0, mergerfs 2.33.5): libfuse counts the files as they are looked up, and gives the next number
# at the next look-up: a program that comes later makes another key of the file, and does not meet those that came
# before. With mergerfs's `use_ino` the number lasts; bindfs has the file's own one.
. "$(dirname "$0")/lib.sh"
unpack unionfs-fuse=1.0-1+b1 mergerfs=2.33.5-1 bindfs=1.14.7-1 libfuse2=2.9.9-6+b1 libfuse3-3=3.14.0-4
printf 'kernel: %s\n' "$(uname -r)"
export LD_LIBRARY_PATH=$work/root/usr/lib/x86_64-linux-gnu:$work/root/lib/x86_64-linux-gnu
mkdir branch mount
touch branch/key
key() { perl -MIPC::SysV=ftok -e 'print ftok("mount/key", 81)'; }
keys() { # COMMAND...
    PATH=$work/root/usr/bin:$PATH "$@"
    local before again after
    before=$(key)
    again=$(key)
    echo 2 >/proc/sys/vm/drop_caches # forgets files that nobody has open
    after=$(key)
    umount mount
    [ "$before" = "$again" ] && echo -n 'stays, then '
    [ "$before" = "$after" ] && echo 'stays' || echo 'is another'
}
expect 'unionfs-fuse' 'stays, then is another' "$(keys unionfs branch=RW mount)"
expect 'mergerfs' 'stays, then is another' "$(keys mergerfs branch mount)"
expect 'mergerfs, use_ino' 'stays, then stays' "$(keys mergerfs -o use_ino branch mount)"
expect 'bindfs' 'stays, then stays' "$(keys bindfs branch mount)"
finish
