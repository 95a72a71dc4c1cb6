#!/usr/bin/env bash
# Under libfaketime, sem_timedwait waits for the time asked, but sem_clockwait and pthread_mutex_timedlock do not know
# of the faked clock.
# Guess: what fakes clock_gettime also translates the deadlines of all waits that take one.
# Seen (libfaketime 0.9.10, glibc 2.36): one hour back, a deadline 300 ms ahead is kept by sem_timedwait and
# pthread_cond_timedwait; sem_clockwait and pthread_mutex_timedlock say ETIMEDOUT at once.
# CLOCK_MONOTONIC becomes a count of seconds since 1970, so a deadline by it that reaches the kernel as it is lies
# decades ahead. A test of timeouts under faketime says little of the program.
. "$(dirname "$0")/lib.sh"
unpack libfaketime=0.9.10-2.1
cat >wait.c <<'C'
#define _GNU_SOURCE
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
static long real(void) /* milliseconds of the kernel's clock */
{
    struct timespec now;
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
static struct timespec deadline;
static long start(void)
{
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_nsec += 300000000;
    if (deadline.tv_nsec >= 1000000000) deadline.tv_nsec -= 1000000000, deadline.tv_sec++;
    return real();
}
static void say(const char *what, long started)
{
    printf("%s %s, ", what, real() - started >= 290 ? "waits" : "at once");
}
int main(void)
{
    sem_t semaphore;
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER, other = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
    sem_init(&semaphore, 0, 0);
    pthread_mutex_lock(&mutex);
    pthread_mutex_lock(&other);
    long at = start();
    sem_timedwait(&semaphore, &deadline);
    say("sem_timedwait", at);
    at = start();
    pthread_cond_timedwait(&condition, &other, &deadline);
    say("cond_timedwait", at);
    at = start();
    sem_clockwait(&semaphore, CLOCK_REALTIME, &deadline);
    say("sem_clockwait", at);
    at = start();
    pthread_mutex_timedlock(&mutex, &deadline);
    say("mutex_timedlock", at);
    struct timespec monotonic;
    clock_gettime(CLOCK_MONOTONIC, &monotonic);
    printf("CLOCK_MONOTONIC %s", monotonic.tv_sec > 1000000000 ? "since 1970" : "since boot");
    return 0;
}
C
gcc -Wall -o wait wait.c -pthread
kept='sem_timedwait waits, cond_timedwait waits'
expect 'without' "$kept, sem_clockwait waits, mutex_timedlock waits, CLOCK_MONOTONIC since boot" "$(./wait)"
expect 'faked' "$kept, sem_clockwait at once, mutex_timedlock at once, CLOCK_MONOTONIC since 1970" \
    "$(LD_PRELOAD=$work/root/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1 FAKETIME=-1h ./wait)"
finish
