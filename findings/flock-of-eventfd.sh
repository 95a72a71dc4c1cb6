#!/usr/bin/env bash
# A lock on an eventfd, timerfd, epoll or inotify descriptor is one lock for all such descriptors of the machine.
# Guess: each eventfd(2) makes a file of its own, so flock on it concerns those who share that eventfd.
# Seen (Linux 6.18): all of them are one "anonymous" inode, and locks go by the inode. A process that has flock on its
# eventfd keeps every other one, also in other PID, IPC, mount and user namespaces, from flock on a timerfd of its own.
# Record locks and open file description locks are no better. Memfds and pipes have inodes of their own.
. "$(dirname "$0")/lib.sh"
printf 'kernel: %s\n' "$(uname -r)"
cat >lock.c <<'C'
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>
static int an_event(void) { return eventfd(0, 0); }
static int a_timer(void) { return timerfd_create(CLOCK_MONOTONIC, 0); }
static int an_epoll(void) { return epoll_create1(0); }
static int an_inotify(void) { return inotify_init1(0); }
static int a_memfd(void) { return memfd_create("own", 0); }
static int lock(int file, int record, int waits)
{
    struct flock all = { .l_type = F_WRLCK };
    if (record) return fcntl(file, waits ? F_OFD_SETLKW : F_OFD_SETLK, &all);
    return flock(file, waits ? LOCK_EX : LOCK_EX | LOCK_NB);
}
/* One process keeps the lock, and then another one, in namespaces of its own, asks for one on a file of its own. */
static void try(const char *what, int (*first)(void), int (*second)(void), int record)
{
    int told[2], end[2];
    char byte = 0;
    fflush(stdout);
    if (pipe(told) != 0 || pipe(end) != 0) return;
    if (fork() == 0) {
        close(end[1]);
        byte = lock(first(), record, 1) == 0 ? 'y' : 'n';
        _exit(write(told[1], &byte, 1) != 1 || read(end[0], &byte, 1) < 0);
    }
    if (read(told[0], &byte, 1) != 1 || byte != 'y') return;
    pid_t other = fork();
    if (other == 0) {
        if (unshare(CLONE_NEWUSER | CLONE_NEWIPC | CLONE_NEWNS | CLONE_NEWPID) != 0) _exit(2);
        _exit(lock(second(), record, 0) == 0 ? 0 : errno == EAGAIN ? 1 : 2);
    }
    int status;
    waitpid(other, &status, 0);
    printf("%s: %s\n", what, WEXITSTATUS(status) == 0 ? "both" : WEXITSTATUS(status) == 1 ? "one" : "?");
    close(end[1]);
    wait(NULL);
}
int main(void)
{
    try("eventfds", an_event, an_event, 0);
    try("eventfd and timerfd", an_event, a_timer, 0);
    try("epoll and inotify", an_epoll, an_inotify, 0);
    try("eventfd and timerfd, record", an_event, a_timer, 1);
    try("memfds", a_memfd, a_memfd, 0);
    return 0;
}
C
gcc -Wall -o lock lock.c
./lock >seen
said() { sed -n "s/^$1: //p" seen; }
expect 'two eventfds' 'one' "$(said eventfds)"
expect 'eventfd and timerfd' 'one' "$(said 'eventfd and timerfd')"
expect 'epoll and inotify' 'one' "$(said 'epoll and inotify')"
expect 'the same, open file description locks' 'one' "$(said 'eventfd and timerfd, record')"
expect 'two memfds' 'both' "$(said memfds)"
finish
