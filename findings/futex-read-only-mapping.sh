#!/usr/bin/env bash
# A process that may only read a segment can wait on a futex in it, and can wake those who wait.
# Guess: FUTEX_WAIT and FUTEX_WAKE need a word that the caller may write, and say EFAULT (or EACCES) for another one.
# Seen (Linux 6.18): with a segment that was opened O_RDONLY and mapped PROT_READ, both work, across processes that have
# no other mapping, and where the one that waits has mapped it for writing; FUTEX_WAKE gives the number of those it
# woke. So a reader can sleep until the writer tells it, and a reader's wake-up reaches the writer's waiters.
. "$(dirname "$0")/lib.sh"
printf 'kernel: %s\n' "$(uname -r)"
cat >wait.c <<'C'
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
static long futex(int operation, int value, int writes)
{
    int file = shm_open("/word", writes ? O_RDWR : O_RDONLY, 0);
    int *word = mmap(NULL, 4096, writes ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, file, 0);
    struct timespec watchdog = { 60, 0 };
    long result;
    do result = syscall(SYS_futex, word, operation, value, operation == FUTEX_WAIT ? &watchdog : NULL, NULL, 0);
    while (operation == FUTEX_WAKE && result == 0 && sched_yield() == 0);
    return result == -1 ? -errno : result;
}
int main(int count, char **words)
{
    int file = shm_open("/word", O_CREAT | O_EXCL | O_RDWR, 0600), status;
    if (ftruncate(file, 4096) != 0) return 1;
    pid_t waiter = fork();
    if (waiter == 0) _exit((int)-futex(FUTEX_WAIT, 0, count > 1 && words != NULL));
    printf("woken %ld, ", futex(FUTEX_WAKE, 1, 0));
    waitpid(waiter, &status, 0);
    printf("waiter's error %d", WEXITSTATUS(status));
    return shm_unlink("/word");
}
C
gcc -Wall -D_GNU_SOURCE -o wait wait.c
expect 'both mapped for reading only' "woken 1, waiter's error 0" "$(timeout 120 ./wait)"
expect 'the waiter for writing' "woken 1, waiter's error 0" "$(timeout 120 ./wait writes)"
finish
