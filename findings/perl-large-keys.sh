#!/usr/bin/env bash
# Perl's shmget, semget and msgget take every key from 0x80000000 on, given as the number that ipcs shows, for the one
# key 0x80000000.
# Guess: the key is the low 32 bits of the number, so 0x81000001 is the key that ipcs shows by that name.
# Seen (Perl 5.36, x64): the number goes through a double, and all of the upper half become 0x80000000: programs with
# different keys share one object, and do not meet a C program. The negative number of the same bits, which ftok of
# IPC::SysV gives for a project id of 128 and above, is right; `unpack "l", pack "L", $key` makes it.
. "$(dirname "$0")/lib.sh"
unpack perl-base=5.36.0-7+deb12u4
perl=$work/root/usr/bin/perl
keys() { # KIND
    awk 'NR > 1 { printf "%s%x", between, $1 < 0 ? $1 + 4294967296 : $1; between = " " }' "/proc/sysvipc/$1"
}
create() { # NUMBER...
    for number; do
        "$perl" -e 'my $key = eval shift; my $mode = 01000 | 0600;
            defined shmget($key, 100, $mode) && defined semget($key, 1, $mode) && defined msgget($key, $mode)
                or die $!' "$number"
    done
}
create 0x7fffffff
expect 'below, segments' '7fffffff' "$(keys shm)"
create 0x81000001 0x82345678 0xffffffff
expect 'three keys, segments' '7fffffff 80000000' "$(keys shm)"
expect 'sets' '7fffffff 80000000' "$(keys sem)"
expect 'queues' '7fffffff 80000000' "$(keys msg)"
create 'unpack "l", pack "L", 0x81000001'
expect 'as a negative number' '7fffffff 80000000 81000001' "$(keys shm)"
finish
