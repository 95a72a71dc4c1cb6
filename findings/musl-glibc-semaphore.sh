#!/usr/bin/env bash
# A named semaphore of musl and one of glibc are both 32 bytes with the count in front, and yet the two must not wait
# at one together. musl calls the file NAME, glibc sem.NAME; so sem_open("/sem.x") of musl and sem_open("/x") of glibc
# open the same one.
# Guess: they meet fully, as in "count first, futex on it"; or opening fails.
# Seen: counting works while nobody waits. A waiter of either is not woken by a post of the other; and the post that
# glibc makes while musl waits is lost: musl's waiter had made the count -1, and glibc's post makes it 0.
. "$(dirname "$0")/lib.sh"
unpack musl=1.2.3-1 musl-dev=1.2.3-1
printf 'glibc: %s\n' "$(dpkg-query -W -f '${Version}' libc6)"
cat >steps.c <<'C'
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdio.h>
#include <time.h>
int main(int count, char **words)
{
    sem_t *semaphore = sem_open(words[1], O_CREAT, 0600, words[2][0] - '0');
    if (count < 4 || semaphore == SEM_FAILED) return 1;
    for (char *step = words[3]; *step; step++) {
        int value;
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += 3;
        if (*step == 'p') printf("post %d ", sem_post(semaphore));
        if (*step == 'w') {
            int result = sem_timedwait(semaphore, &until);
            printf("wait %s ", result == 0 ? "0" : errno == ETIMEDOUT ? "timed-out" : "failed");
        }
        if (*step == 'v') printf("value %d ", sem_getvalue(semaphore, &value) == 0 ? value : -99);
        fflush(stdout);
    }
    return 0;
}
C
gcc -O1 -o glibc steps.c
lib=root/usr/lib/x86_64-linux-musl
gcc -O1 -static -nostdinc -isystem root/usr/include/x86_64-linux-musl -nostdlib -o musl \
    $lib/crt1.o $lib/crti.o steps.c $lib/libc.a -lgcc $lib/crtn.o

sleeps() { # PROCESS: until it sleeps in futex
    until grep -qs futex "/proc/$1/wchan" || grep -qsE '^State:\s+S' "/proc/$1/status"; do sleep 0.05; done
    sleep 0.3
}
./musl /sem.m 2 v >said; ./glibc /m 2 wv >>said; ./musl /sem.m 0 v >>said
expect 'nobody waits: musl makes 2, glibc takes one, musl looks' 'value 2 wait 0 value 1 value 1 ' "$(cat said)"
rm /dev/shm/sem.m
./musl /sem.m 0 wv >waiter & sleeps $!
./glibc /m 0 p >said; wait
expect 'musl waits, glibc posts: the waiter' 'wait timed-out value 0 ' "$(cat waiter)"
expect 'musl waits, glibc posts: the post' 'post 0 ' "$(cat said)"
rm /dev/shm/sem.m
./glibc /m 0 wv >waiter & sleeps $!
./musl /sem.m 0 p >said; wait
expect 'glibc waits, musl posts: the waiter' 'wait timed-out value 1 ' "$(cat waiter)"
finish
