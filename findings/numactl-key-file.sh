#!/usr/bin/env bash
# numactl's key file for a segment is used with the project id 0, and with an id of 128 or more the file is emptied and
# the call fails.
# Guess: `numactl --length=SIZE --shm FILE` makes the segment of ftok(FILE, 1), say, and --shmid takes any of the 255
# ids of ftok(3); FILE stays as it is.
# Seen (numactl 2.0.16): without --shmid the id is 0, which ftok(3) does not allow, so the key has nothing in its
# highest byte. Keys of ids from 128 on are negative numbers, which numactl takes for a failure: it makes FILE anew and
# gives up. What was in it, a configuration say, is gone.
. "$(dirname "$0")/lib.sh"
unpack numactl=2.0.16-1 libnuma1=2.0.16-1
key() { perl -MIPC::SysV=ftok -e 'printf "%08x", ftok("file", $ARGV[0] + 0) & 0xffffffff' "$1"; }
keys() { awk 'NR > 1 { printf "%08x ", $1 < 0 ? $1 + 4294967296 : $1 }' /proc/sysvipc/shm; }
tool() { # WORD...: a segment for FILE
    if LD_LIBRARY_PATH=$work/root/usr/lib/x86_64-linux-gnu root/usr/bin/numactl --length=8k "$@" --shm file \
        --interleave=0 >said 2>&1; then echo made; else tail -n 1 said; fi
}
printf precious >file
expect 'without an id' made "$(tool)"
id_1=$(key 1)
expect 'the key: as that of the id 1, but 00' "00${id_1:2} " "$(keys)"
ipcrm --all=shm
expect 'with 127' made "$(tool --shmid 127)"
expect 'the key is that of 127' "$(key 127) " "$(keys)"
ipcrm --all=shm
expect 'the file' precious "$(cat file)"
expect 'with 128' 'numactl: cannot get key for newly created shm key file file' "$(tool --shmid 128)"
expect 'segments, bytes in the file' ', 0' "$(keys), $(stat -c %s file)"
finish
