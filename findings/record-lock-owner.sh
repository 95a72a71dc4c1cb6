#!/usr/bin/env bash
# The owner of a record lock is a table of descriptors, not a process: one process can be two owners, and two processes
# one.
# Guess: as fcntl(2) says, record locks are "associated with a process": all its threads have them, and another process
# is refused.
# Seen (Linux 6.18): a thread that called unshare(CLONE_FILES) is refused the lock of its own process, and F_GETLK names
# its own PID as the holder. A child made by clone(CLONE_FILES), another process, is given its parent's lock, and its
# F_UNLCK takes it away from the parent.
. "$(dirname "$0")/lib.sh"
printf 'kernel: %s\n' "$(uname -r)"
cat >owner.c <<'C'
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
static int file;
static char stack[65536];
static int ask(int command, int kind, struct flock *lock)
{
    *lock = (struct flock){ .l_type = kind, .l_whence = SEEK_SET, .l_len = 1 };
    return fcntl(file, command, lock);
}
static const char *lock(int kind)
{
    struct flock first;
    return ask(F_SETLK, kind, &first) == 0 ? "given" : errno == EAGAIN ? "EAGAIN" : "?";
}
static void *in_thread(void *unused)
{
    struct flock holder;
    printf("thread: %s, ", lock(F_WRLCK));
    if (unshare(CLONE_FILES) != 0) return unused;
    printf("after unshare %s, ", lock(F_WRLCK));
    ask(F_GETLK, F_WRLCK, &holder);
    printf("holder %s\n", holder.l_pid == getpid() ? "is this process" : "is another");
    return unused;
}
static int in_child(void *unused)
{
    printf("child: %s, ", lock(F_WRLCK));
    printf("unlock %s\n", lock(F_UNLCK));
    fflush(stdout);
    return unused != NULL;
}
static void run(const char *what, int flags)
{
    pid_t child = clone(in_child, stack + sizeof stack, flags | SIGCHLD, NULL);
    waitpid(child, NULL, 0);
    struct flock holder;
    pid_t other = fork();
    if (other == 0) {
        ask(F_GETLK, F_WRLCK, &holder);
        printf("%s: lock of the parent %s\n", what, holder.l_type == F_UNLCK ? "gone" : "there");
        fflush(stdout);
        _exit(0);
    }
    waitpid(other, NULL, 0);
}
int main(void)
{
    pthread_t thread;
    setbuf(stdout, NULL);
    file = open("state", O_CREAT | O_RDWR, 0600);
    lock(F_WRLCK);
    pthread_create(&thread, NULL, in_thread, NULL);
    pthread_join(thread, NULL);
    run("after", 0);
    run("after with CLONE_FILES", CLONE_FILES);
    return 0;
}
C
gcc -Wall -o owner owner.c -pthread
./owner >seen
expect 'a thread' 'thread: given, after unshare EAGAIN, holder is this process' "$(sed -n 1p seen)"
expect 'a child by fork' 'child: EAGAIN, unlock given after: lock of the parent there' \
    "$(sed -n 2,3p seen | paste -sd ' ')"
expect 'a child by clone(CLONE_FILES)' 'child: given, unlock given after with CLONE_FILES: lock of the parent gone' \
    "$(sed -n 4,5p seen | paste -sd ' ')"
finish
