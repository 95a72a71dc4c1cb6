#!/usr/bin/env bash
# Two containers both hold one recursive mutex of a shared segment when their threads have the same number; an
# error-checking mutex and a read-write lock call the other's hold a deadlock of their own.
# Guess: a process-shared mutex excludes all that map it; its holder is told by the kernel's own number of the thread.
# Seen (glibc 2.36): the owner is kept as the thread id in its own PID namespace. Where both are PID 1, trylock of a
# recursive mutex that the other one holds succeeds and counts two. Locking an error-checking mutex, or a read-write
# lock for writing, fails with EDEADLK instead of waiting. A normal and a robust mutex exclude.
. "$(dirname "$0")/lib.sh"
cat >mutex.c <<'C'
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
static struct shared { pthread_mutex_t normal, checking, recursive, robust; pthread_rwlock_t write; } *shared;
static struct timespec past; /* a wait is over at once */
static void say(const char *what, int result)
{
    printf("%s %s, ", what, result == 0 ? "taken" : strerrorname_np(result));
}
static void make(pthread_mutex_t *mutex, int type, int robust)
{
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, type);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attributes, robust);
    pthread_mutex_init(mutex, &attributes);
}
int main(int count, char **words)
{
    int first = count > 2, file = shm_open(words[1], O_RDWR | O_CREAT, 0600);
    if (ftruncate(file, 4096) != 0) return 1;
    shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (first) {
        pthread_rwlockattr_t attributes;
        make(&shared->normal, PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_STALLED);
        make(&shared->checking, PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_STALLED);
        make(&shared->recursive, PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_STALLED);
        make(&shared->robust, PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_ROBUST);
        pthread_rwlockattr_init(&attributes);
        pthread_rwlockattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
        pthread_rwlock_init(&shared->write, &attributes);
    }
    printf("%s: ", getpid() == 1 ? "PID 1" : "another");
    say("normal", pthread_mutex_timedlock(&shared->normal, &past));
    say("checking", pthread_mutex_timedlock(&shared->checking, &past));
    say("recursive", pthread_mutex_timedlock(&shared->recursive, &past));
    say("robust", pthread_mutex_timedlock(&shared->robust, &past));
    say("write", pthread_rwlock_timedwrlock(&shared->write, &past));
    printf("\n");
    fflush(stdout);
    if (first) getchar();
    return 0;
}
C
gcc -Wall -o mutex mutex.c -pthread
as_first() { exec unshare --pid --fork ./mutex /shared "$@"; }
coproc as_first hold
holder=$COPROC_PID
read -r line <&"${COPROC[0]}"
expect 'the holder' \
    'PID 1: normal taken, checking taken, recursive taken, robust taken, write taken, ' "$line "
expect 'another number' \
    'another: normal ETIMEDOUT, checking ETIMEDOUT, recursive ETIMEDOUT, robust ETIMEDOUT, write ETIMEDOUT, ' \
    "$(./mutex /shared)"
expect 'the same number in another namespace' \
    'PID 1: normal ETIMEDOUT, checking EDEADLK, recursive taken, robust ETIMEDOUT, write EDEADLK, ' "$(as_first)"
echo >&"${COPROC[1]}"
wait "$holder"
finish
