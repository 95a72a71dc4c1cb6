#!/usr/bin/env bash
# With glibc, a process that was killed in pthread_cond_wait still gets a signal, and one that waits for it does not.
# Guess: pthread_cond_signal wakes one of those who wait; a dead process waits no more, as its futex wait has ended.
# Seen (glibc 2.36): A waits and is killed; B waits, and the first signal wakes it; C waits, and the second signal is
# kept for A, so C goes on waiting. The condition counts its waiters in groups, and the dead one is never taken off.
# With musl 1.2.3 both are woken.
. "$(dirname "$0")/lib.sh"
printf 'glibc: %s\n' "$(dpkg-query -W -f '${Version}' libc6)"
cat >wait.c <<'C'
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
static struct shared {
    pthread_mutex_t lock;
    pthread_cond_t condition;
} *shared;
/* Returns when the new process waits. */
static pid_t waiter(const char *name)
{
    int told[2];
    char byte;
    if (pipe(told) != 0) return -1;
    pid_t child = fork();
    if (child == 0) {
        struct timespec when;
        pthread_mutex_lock(&shared->lock);
        if (write(told[1], "l", 1) != 1) _exit(1);
        clock_gettime(CLOCK_REALTIME, &when);
        when.tv_sec += 6;
        int result = pthread_cond_timedwait(&shared->condition, &shared->lock, &when);
        printf("%s %s ", name, result == 0 ? "is woken" : result == ETIMEDOUT ? "is not woken" : "?");
        fflush(stdout);
        pthread_mutex_unlock(&shared->lock);
        _exit(0);
    }
    if (read(told[0], &byte, 1) != 1) return -1;
    pthread_mutex_lock(&shared->lock);
    pthread_mutex_unlock(&shared->lock);
    return child;
}
int main(void)
{
    pthread_mutexattr_t of_lock;
    pthread_condattr_t of_condition;
    shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_init(&of_lock);
    pthread_mutexattr_setpshared(&of_lock, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(&shared->lock, &of_lock);
    pthread_condattr_init(&of_condition);
    pthread_condattr_setpshared(&of_condition, PTHREAD_PROCESS_SHARED);
    pthread_cond_init(&shared->condition, &of_condition);
    pid_t first = waiter("A");
    kill(first, SIGKILL);
    waitpid(first, NULL, 0);
    for (const char *name = "B"; name != NULL; name = *name == 'B' ? "C" : NULL) {
        pid_t child = waiter(name);
        pthread_cond_signal(&shared->condition);
        waitpid(child, NULL, 0);
    }
    _exit(0);
}
C
gcc -Wall -o wait wait.c -pthread
musl-gcc -Wall -o wait-musl wait.c
expect 'glibc' 'B is woken C is not woken ' "$(./wait)"
expect 'musl' 'B is woken C is woken ' "$(./wait-musl)"
finish
