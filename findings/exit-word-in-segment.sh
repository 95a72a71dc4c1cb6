#!/usr/bin/env bash
# The kernel does not clear the word of set_tid_address at the end of a process, though it lies in shared memory, unless
# the process has a second thread or is a child of vfork.
# Guess: at the end of a thread that shares memory, as set_tid_address(2) says, 0 is written to its address and a futex
# there is woken; so a word in a segment tells other processes of a death.
# Seen (Linux 6.18): "shares memory" means the whole address space, not the segment that the word is in. The word of a
# forked process with one thread stays as it was; where a second thread lives on, or after vfork, it becomes 0.
. "$(dirname "$0")/lib.sh"
printf 'kernel: %s\n' "$(uname -r)"
cat >word.c <<'C'
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
static int *word;
static void *rest(void *unused)
{
    pause();
    return unused;
}
static void after(const char *what, pid_t child)
{
    waitpid(child, NULL, 0);
    printf("%s %d, ", what, *word);
    *word = 77;
    fflush(stdout);
}
int main(void)
{
    word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    *word = 77;
    pid_t child = fork();
    if (child == 0) {
        syscall(SYS_set_tid_address, word);
        _exit(0);
    }
    after("one thread", child);
    child = fork();
    if (child == 0) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, rest, NULL) != 0) _exit(1);
        syscall(SYS_set_tid_address, word);
        syscall(SYS_exit, 0); /* this thread alone */
    }
    for (int round = 0; round < 1000 && *(volatile int *)word != 0; round++) usleep(10000);
    kill(child, SIGKILL);
    after("two threads", child);
    child = vfork();
    if (child == 0) {
        syscall(SYS_set_tid_address, word);
        _exit(0);
    }
    after("vfork", child);
    return 0;
}
C
gcc -Wall -o word word.c -pthread
expect 'the word, which was 77' 'one thread 77, two threads 0, vfork 0, ' "$(./word)"
finish
