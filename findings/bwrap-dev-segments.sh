#!/usr/bin/env bash
# In bubblewrap, `--dev /dev` alone takes POSIX segments and semaphores away from those outside, and --unshare-ipc alone
# does not.
# Guess: --unshare-ipc decides for both kinds, System V and POSIX; the new /dev is for devices.
# Seen (bubblewrap 0.8.0): `--dev` mounts a new /dev, with an empty shm folder in it, so a program in it meets the
# System V objects of the host but no POSIX ones. With --unshare-ipc and the host's /dev it is the other way round.
. "$(dirname "$0")/lib.sh"
unpack bubblewrap=0.8.0-2+deb12u1
ipcmk -M 100 >/dev/null
echo data >/dev/shm/segment
seen() { # OPTION...
    "$work/root/usr/bin/bwrap" --bind / / "$@" sh -c \
        'printf "System V %s, POSIX %s\n" "$(awk "NR > 1" /proc/sysvipc/shm | wc -l)" "$(ls /dev/shm | wc -l)"'
}
expect '--dev-bind' 'System V 1, POSIX 1' "$(seen --dev-bind /dev /dev)"
expect '--dev' 'System V 1, POSIX 0' "$(seen --dev /dev)"
expect '--dev-bind --unshare-ipc' 'System V 0, POSIX 1' "$(seen --dev-bind /dev /dev --unshare-ipc --proc /proc)"
finish
