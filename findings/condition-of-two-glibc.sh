#!/usr/bin/env bash
# A condition variable that a program on glibc 2.36 (Debian 12) and one on 2.41 (Debian 13) share lets neither wake the
# other: as between two containers that share a segment.
# Guess: they meet. The type has the same size, and each version has process-shared conditions.
# Seen: a signal of either version does nothing for the waiter of the other, without an error. 2.41 and 2.43 meet.
# Mutexes, read-write locks, barriers and semaphores of 2.36 and 2.43 meet. Use that mixes waits and signals of both was
# seen to hang, and is left out here.
. "$(dirname "$0")/lib.sh"
printf 'glibc: %s\n' "$(dpkg-query -W -f '${Version}' libc6)"
for version in 2.41-12+deb13u5 2.43-7; do
    unpack_pool "g/glibc/libc6_$version"
    mv root "${version%%-*}"
done
cat >steps.c <<'C'
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <gnu/libc-version.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
static struct shared {
    pthread_mutex_t lock;
    pthread_cond_t condition;
    pthread_rwlock_t both;
    pthread_barrier_t barrier;
    sem_t semaphore;
    int waits;
} *shared;
static struct timespec *soon(int seconds)
{
    static struct timespec when;
    clock_gettime(CLOCK_REALTIME, &when);
    when.tv_sec += seconds;
    return &when;
}
#define SHARED(kind, object, ...) \
    do { \
        pthread_##kind##attr_t how; \
        pthread_##kind##attr_init(&how); \
        pthread_##kind##attr_setpshared(&how, PTHREAD_PROCESS_SHARED); \
        pthread_##kind##_init(object, &how __VA_OPT__(, ) __VA_ARGS__); \
    } while (0)
int main(int count, char **words)
{
    int file = open("/dev/shm/steps", O_RDWR | O_CREAT, 0600), result = 0;
    if (count != 2 || ftruncate(file, sizeof *shared)) return 1;
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    alarm(10);
    for (const char *step = words[1]; *step; step++) {
        if (*step == 'i') { /* makes them */
            SHARED(mutex, &shared->lock);
            SHARED(cond, &shared->condition);
            SHARED(rwlock, &shared->both);
            SHARED(barrier, &shared->barrier, 2);
            sem_init(&shared->semaphore, 1, 0);
        }
        if (*step == 'w') { /* waits for a signal */
            pthread_mutex_lock(&shared->lock);
            shared->waits = 1;
            result = pthread_cond_timedwait(&shared->condition, &shared->lock, soon(2));
            printf("%s", result == 0 ? "woken" : result == ETIMEDOUT ? "not woken" : "?");
            pthread_mutex_unlock(&shared->lock);
        }
        if (*step == 's') { /* signals, once the other waits: it has let go of the mutex */
            for (int waits = 0; !waits; pthread_mutex_unlock(&shared->lock)) {
                pthread_mutex_lock(&shared->lock);
                waits = shared->waits;
                if (waits) pthread_cond_signal(&shared->condition);
            }
            shared->waits = 0;
        }
        if (*step == 'm')
            result |= pthread_mutex_timedlock(&shared->lock, soon(5)) | pthread_mutex_unlock(&shared->lock);
        if (*step == 'r') /* reads for a while, in which the writer begins to wait */
            result |= pthread_rwlock_rdlock(&shared->both) | sem_post(&shared->semaphore) | usleep(300000)
                | pthread_rwlock_unlock(&shared->both);
        if (*step == 'x')
            result |= sem_timedwait(&shared->semaphore, soon(5)) | pthread_rwlock_timedwrlock(&shared->both, soon(5))
                | pthread_rwlock_unlock(&shared->both);
        if (*step == 'b') result |= pthread_barrier_wait(&shared->barrier) > 0;
        if (*step == 'o') printf("%d", result);
    }
    return 0;
}
C
gcc -O1 -Wall -o steps steps.c -pthread
on() { # VERSION STEPS
    case $1 in
        2.36) ./steps "$2" ;;
        *) "$1/usr/lib64/ld-linux-x86-64.so.2" --library-path "$1/usr/lib/x86_64-linux-gnu" ./steps "$2" ;;
    esac
}
signalled() { # WAITS SIGNALS: the second signal of the two
    rm -f /dev/shm/steps
    on "$1" i
    for _ in 1 2; do on "$1" w >said & on "$2" s; wait; done
    cat said
}
others() { # ONE OTHER
    rm -f /dev/shm/steps
    on "$1" i
    on "$1" mrbo >one & on "$2" mxbo >other; wait
    cat one other
}
for pair in '2.36 2.36 woken' '2.36 2.41 not woken' '2.41 2.36 not woken' '2.36 2.43 not woken' '2.43 2.36 not woken' \
    '2.41 2.43 woken' '2.43 2.41 woken'; do
    read -r waits signals expected <<<"$pair"
    expect "$waits waits, $signals signals" "$expected" "$(signalled "$waits" "$signals")"
done
expect '2.36 and 2.43: mutex, read-write lock, semaphore, barrier' 00 "$(others 2.36 2.43)"
expect '2.43 and 2.36: the same' 00 "$(others 2.43 2.36)"
finish
