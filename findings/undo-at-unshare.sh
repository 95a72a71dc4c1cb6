#!/usr/bin/env bash
# A process that holds a semaphore with SEM_UNDO gives it back when it moves to a new IPC namespace, and goes on.
# Guess: undo is for the end of a process; unshare(2) says of CLONE_SYSVSEM that the caller gets an empty list of
# adjustments, so what it holds stays taken, now or for ever.
# Seen (Linux 6.18): unshare(CLONE_NEWIPC), and CLONE_SYSVSEM alone, makes all adjustments at once. The next waiter has
# the permit while the first holder lives and thinks that it has it. A sandbox that is set up within the lock, as by a
# library that calls unshare, opens the lock; no call of the holder fails.
. "$(dirname "$0")/lib.sh"
printf 'kernel: %s\n' "$(uname -r)"
cat >undo.c <<'C'
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <sys/sem.h>
#include <sys/wait.h>
#include <unistd.h>
static void look(const char *what, int flag)
{
    int told[2], go[2], status, id = semget(IPC_PRIVATE, 1, 0600);
    char byte = 0;
    if (pipe(told) != 0 || pipe(go) != 0 || semctl(id, 0, SETVAL, 1) != 0) return;
    pid_t holder = fork();
    if (holder == 0) {
        struct sembuf acquire = { 0, -1, SEM_UNDO };
        int failed = semop(id, &acquire, 1) != 0 || write(told[1], "h", 1) != 1 || read(go[0], &byte, 1) != 1
            || unshare(flag) != 0 || write(told[1], "u", 1) != 1 || read(go[0], &byte, 1) != 1;
        _exit(failed);
    }
    if (read(told[0], &byte, 1) != 1) return;
    printf("%s: held %d, ", what, semctl(id, 0, GETVAL));
    if (write(go[1], "g", 1) != 1 || read(told[0], &byte, 1) != 1) return;
    printf("unshared %d, ", semctl(id, 0, GETVAL));
    struct sembuf try = { 0, -1, IPC_NOWAIT };
    printf("another one %s, ", semop(id, &try, 1) == 0 ? "gets it" : "does not");
    printf("the holder %s", waitpid(holder, &status, WNOHANG) == 0 ? "lives" : "is gone");
    if (write(go[1], "g", 1) != 1) return;
    waitpid(holder, &status, 0);
    printf(", ends with %d and leaves %d; ", WEXITSTATUS(status), semctl(id, 0, GETVAL));
    semctl(id, 0, IPC_RMID);
}
int main(void)
{
    setbuf(stdout, NULL);
    look("NEWIPC", CLONE_NEWIPC);
    look("SYSVSEM", CLONE_SYSVSEM);
    look("NEWNS", CLONE_NEWNS);
    return 0;
}
C
gcc -Wall -D_GNU_SOURCE -o undo undo.c
lost='held 0, unshared 1, another one gets it, the holder lives, ends with 0 and leaves 0; '
kept='held 0, unshared 0, another one does not, the holder lives, ends with 0 and leaves 1; '
expect 'permits' "NEWIPC: ${lost}SYSVSEM: ${lost}NEWNS: $kept" "$(timeout 120 ./undo)"
finish
