#!/usr/bin/env bash
# The process that made a glibc semaphore has it mapped under another name, and as deleted, for as long as it lives.
# Guess: /proc/PID/maps shows /dev/shm/sem.NAME for all that have the semaphore NAME, so a look through the maps finds
# its users.
# Seen (libc6 2.36 of Debian 12): sem_open() that makes one writes a file with a random name, maps it, gives it a second
# name by link() and removes the first. The maker's maps keep "/dev/shm/sem.RANDOM (deleted)", though the file lives and
# has its name; a process that opens it later shows "/dev/shm/sem.NAME". Only device and inode tell that both have the
# same: fuser and lsof go by them, and name both.
. "$(dirname "$0")/lib.sh"
expect 'libc6' '2.36' "$(dpkg-query -W -f '${Version}' libc6 | cut -d- -f1)"
cat >semaphore.c <<'C'
#include <fcntl.h>
#include <semaphore.h>
#include <stdio.h>
int main(void)
{
    sem_t *semaphore = sem_open("/jobs", O_CREAT, 0600, 1);
    puts(semaphore == SEM_FAILED ? "failed" : "open");
    fflush(stdout);
    getchar();
    return 0;
}
C
gcc -Wall -o semaphore semaphore.c -pthread
name() { # PID
    awk -v inode="$(stat -c %i /dev/shm/sem.jobs)" '$5 == inode { print $6, $7 }' "/proc/$1/maps" | sed 's/ *$//'
}
coproc MAKER { exec ./semaphore; }
read -r line <&"${MAKER[0]}"
expect 'the maker' open "$line"
exec 7>&"${MAKER[1]}"
maker=$MAKER_PID
{ coproc OPENER { exec ./semaphore; }; } 2>/dev/null
read -r line <&"${OPENER[0]}"
expect 'one that opens it' open "$line"
expect 'the file' sem.jobs "$(ls /dev/shm)"
expect 'in the maps of the maker' '/dev/shm/sem.RANDOM (deleted)' \
    "$(name "$maker" | sed -E 's/sem\.[A-Za-z0-9]{6} /sem.RANDOM /')"
expect 'in the maps of the other one' /dev/shm/sem.jobs "$(name "$OPENER_PID")"
users() { # PID...: which of the two these are
    local user
    for user; do
        [ "$user" != "$maker" ] || echo maker
        [ "$user" != "$OPENER_PID" ] || echo opener
    done | sort | paste -sd ' '
}
unpack lsof=4.95.0-1
# shellcheck disable=SC2046 # words
expect 'users that lsof names' 'maker opener' "$(users $(root/usr/bin/lsof -t /dev/shm/sem.jobs))"
echo >&7
echo >&"${OPENER[1]}"
finish
