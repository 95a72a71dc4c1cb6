#!/usr/bin/env bash
# Of the robust mutexes that a dead process held, only the 2,048 that it took last say so; the others stay locked.
# Guess: pthread_mutexattr_setrobust(3) knows no number: with 3,000 held, all 3,000 give EOWNERDEAD.
# Seen (Linux 6.18, glibc 2.36 and musl 1.2.3): the kernel stops after 2,048 entries of the list of the dead thread. The
# 952 that were taken first are EBUSY for ever.
. "$(dirname "$0")/lib.sh"
printf 'kernel: %s\n' "$(uname -r)"
cat >die.c <<'C'
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
enum { COUNT = 3000 };
int main(void)
{
    int dead = 0, busy = 0, first = COUNT;
    pthread_mutexattr_t attributes;
    size_t size = COUNT * sizeof(pthread_mutex_t);
    pthread_mutex_t *locks = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    for (int index = 0; index < COUNT; index++) pthread_mutex_init(&locks[index], &attributes);
    pid_t child = fork();
    if (child == 0) {
        for (int index = 0; index < COUNT; index++) pthread_mutex_lock(&locks[index]);
        _exit(0);
    }
    waitpid(child, NULL, 0);
    for (int index = 0; index < COUNT; index++) {
        int result = pthread_mutex_trylock(&locks[index]);
        if (result == EOWNERDEAD && index < first) first = index;
        dead += result == EOWNERDEAD;
        busy += result == EBUSY;
    }
    printf("%d dead from number %d on, %d busy", dead, first, busy);
    return 0;
}
C
gcc -Wall -o die die.c -pthread
musl-gcc -Wall -o die-musl die.c
expect 'glibc' '2048 dead from number 952 on, 952 busy' "$(./die)"
expect 'musl' '2048 dead from number 952 on, 952 busy' "$(./die-musl)"
finish
