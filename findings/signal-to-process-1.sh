#!/usr/bin/env bash
# A SIGTERM with the default action ends process number 1 of a PID namespace where the main thread blocks it and another
# thread does not.
# Guess: pid_namespaces(7) says that process number 1 gets no signal from inside for which it has no handler; so with
# the default action one that it sends to itself is dropped, whatever its threads block. A test of ours relied on that,
# of a .NET program: .NET sends the signal again from its handler.
# Seen (Linux 6.18): so it is with one thread, and with two of which none blocks it. A signal that the main thread
# blocks, as it does in a handler of it, is kept, since a handler may come before it is let through; if another thread
# lets it through meanwhile, the default action is done: the process is ended by SIGTERM.
. "$(dirname "$0")/lib.sh"
printf 'kernel: %s\n' "$(uname -r)"
cat >first.c <<'C'
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
static sigset_t terms;
static void *rest(void *ready)
{
    pthread_sigmask(SIG_UNBLOCK, &terms, NULL);
    pthread_barrier_wait(ready);
    pause();
    return NULL;
}
int main(int count, char **words)
{
    int threads = atoi(words[1]), blocks = count > 2;
    pthread_barrier_t ready;
    pthread_t thread;
    sigemptyset(&terms);
    sigaddset(&terms, SIGTERM);
    if (threads == 2) {
        pthread_barrier_init(&ready, NULL, 2);
        if (pthread_create(&thread, NULL, rest, &ready) != 0) return 1;
        pthread_barrier_wait(&ready);
    }
    if (blocks) pthread_sigmask(SIG_BLOCK, &terms, NULL);
    kill(getpid(), SIGTERM);
    usleep(300000);
    printf("number %d goes on, ", getpid());
    return 0;
}
C
gcc -Wall -o first first.c -pthread
run() { # THREADS [blocks]
    local code=0
    unshare --pid --fork ./first "$@" || code=$?
    printf '%s' $code
}
expect 'one thread' 'number 1 goes on, 0' "$(run 1)"
expect 'one thread that blocks it' 'number 1 goes on, 0' "$(run 1 blocks)"
expect 'two threads' 'number 1 goes on, 0' "$(run 2)"
expect 'two threads, and the main one blocks it' 143 "$(run 2 blocks)"
finish
