#!/usr/bin/env bash
# flock(1) locks a namespace or a process: /proc/self/ns/ipc is one lock for all that are in the IPC namespace, a pidfd
# one for all that name the process.
# Guess: such files are no files, and flock says EBADF or EINVAL.
# Seen (Linux 6.18): `flock /proc/self/ns/ipc` excludes in one namespace, whatever /proc it is looked up in, and not in
# another one. Two processes that each opened a pidfd of a third exclude each other, by flock and by open file
# description locks; pidfds of two processes are two locks. So there are locks without any file, which go with what they
# are named after.
. "$(dirname "$0")/lib.sh"
printf 'kernel: %s\n' "$(uname -r)"
mkfifo told go
tries() { "$@" flock -n /proc/self/ns/ipc echo locked || echo refused; }
flock /proc/self/ns/ipc sh -c 'echo held >told; read -r _ <go' &
read -r _ <told
expect 'the same namespace' 'refused' "$(tries env)"
expect 'the same, in a PID namespace' 'refused' "$(tries unshare --pid --fork --mount-proc)"
expect 'another IPC namespace' 'locked' "$(tries unshare --ipc)"
echo >go
wait
expect 'after the holder' 'locked' "$(tries env)"
cat >pidfd.c <<'C'
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
static const char *said(int result)
{
    return result == 0 ? "locked" : errno == EAGAIN ? "refused" : "?";
}
int main(void)
{
    struct flock all = { .l_type = F_WRLCK };
    int own = syscall(SYS_pidfd_open, getpid(), 0);
    if (flock(own, LOCK_EX | LOCK_NB) != 0 || fcntl(own, F_OFD_SETLK, &all) != 0) return 1;
    pid_t child = fork();
    if (child == 0) {
        close(own);
        own = syscall(SYS_pidfd_open, getppid(), 0);
        printf("the same process: flock %s, ", said(flock(own, LOCK_EX | LOCK_NB)));
        printf("record %s; ", said(fcntl(own, F_OFD_SETLK, &all)));
        own = syscall(SYS_pidfd_open, getpid(), 0);
        printf("another one: flock %s, ", said(flock(own, LOCK_EX | LOCK_NB)));
        printf("record %s\n", said(fcntl(own, F_OFD_SETLK, &all)));
        return 0;
    }
    return waitpid(child, NULL, 0) != child;
}
C
gcc -Wall -o pidfd pidfd.c
expect 'pidfd of' 'the same process: flock refused, record refused; another one: flock locked, record locked' \
    "$(./pidfd)"
finish
