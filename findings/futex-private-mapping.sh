#!/usr/bin/env bash
# A futex wait, or a wake, in a writable private mapping of a segment takes the page off the segment, though it writes
# nothing.
# Guess: a MAP_PRIVATE mapping shows what others write until its own first write, and the kernel finds waiters by the
# page of the file; so a waiter there is woken.
# Seen (Linux 6.18): FUTEX_WAIT and FUTEX_WAKE without FUTEX_PRIVATE_FLAG copy the page first, and a wait that is
# refused for its value does, too. After that the mapping stays as it is, and no one wakes it. In a private mapping that
# cannot be written, and with FUTEX_PRIVATE_FLAG, the page stays shared; and in the former a waiter is woken.
. "$(dirname "$0")/lib.sh"
printf 'kernel: %s\n' "$(uname -r)"
cat >futex.c <<'C'
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/futex.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
static int file, *shared;
static long futex(int *word, int operation, int value, long seconds)
{
    struct timespec wait = { seconds, 1000000 };
    return syscall(SYS_futex, word, operation, value, operation == FUTEX_WAKE ? NULL : &wait, NULL, 0);
}
static void follows(const char *what, int protection, int operation, int value)
{
    int *own = mmap(NULL, 4096, protection, MAP_PRIVATE, file, 0);
    *shared = 1;
    int before = *own;
    if (operation >= 0) futex(own, operation, value, 0);
    *shared = 2;
    printf("%s: %s\n", what, before == 1 && *own == 2 ? "follows" : before == 1 && *own == 1 ? "stays" : "?");
}
static void waits(const char *what, int protection, int kind)
{
    *shared = 1;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        int *own = mmap(NULL, 4096, protection, kind, file, 0);
        _exit(futex(own, FUTEX_WAIT, 1, 5) == 0 ? 0 : 1);
    }
    int status, woken = 0;
    while (waitpid(child, &status, WNOHANG) == 0) {
        woken += futex(shared, FUTEX_WAKE, 1, 0);
        usleep(20000);
    }
    printf("%s: %s\n", what, WEXITSTATUS(status) == 0 && woken == 1 ? "woken" : woken == 0 ? "not woken" : "?");
}
int main(void)
{
    file = shm_open("/segment", O_CREAT | O_RDWR, 0600);
    if (ftruncate(file, 4096) != 0) return 1;
    shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    follows("nothing", PROT_READ | PROT_WRITE, -1, 0);
    follows("wait", PROT_READ | PROT_WRITE, FUTEX_WAIT, 1);
    follows("refused", PROT_READ | PROT_WRITE, FUTEX_WAIT, 5);
    follows("wake", PROT_READ | PROT_WRITE, FUTEX_WAKE, 1);
    follows("private", PROT_READ | PROT_WRITE, FUTEX_WAIT_PRIVATE, 1);
    follows("read", PROT_READ, FUTEX_WAIT, 1);
    waits("in shared", PROT_READ | PROT_WRITE, MAP_SHARED);
    waits("in private", PROT_READ | PROT_WRITE, MAP_PRIVATE);
    waits("in private, to read", PROT_READ, MAP_PRIVATE);
    return 0;
}
C
gcc -Wall -o futex futex.c
./futex >seen
said() { sed -n "s/^$1: //p" seen; }
expect 'no futex call' 'follows' "$(said nothing)"
expect 'FUTEX_WAIT' 'stays' "$(said wait)"
expect 'FUTEX_WAIT for another value' 'stays' "$(said refused)"
expect 'FUTEX_WAKE' 'stays' "$(said wake)"
expect 'FUTEX_WAIT_PRIVATE' 'follows' "$(said private)"
expect 'FUTEX_WAIT where it can only be read' 'follows' "$(said read)"
expect 'waiter in MAP_SHARED' 'woken' "$(said 'in shared')"
expect 'waiter in MAP_PRIVATE' 'not woken' "$(said 'in private')"
expect 'the same, to read' 'woken' "$(said 'in private, to read')"
finish
