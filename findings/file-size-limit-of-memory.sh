#!/usr/bin/env bash
# `ulimit -f` bounds POSIX segments and memfds, and kills a process that asks for more; a semaphore that cannot be made
# for it says "No such file or directory". System V and shared anonymous memory are free of it.
# Guess: the limit of file sizes is for files on disks; RLIMIT_AS and the size of /dev/shm bound shared memory.
# Seen (Linux 6.18, glibc 2.36): beyond RLIMIT_FSIZE, ftruncate and posix_fallocate of a segment or memfd send SIGXFSZ,
# which ends the process, and fail with EFBIG where it is ignored. sem_open of a new semaphore needs 32 bytes of it:
# with 16, it fails and leaves errno as it was, here the ENOENT of its own look-up, although O_CREAT was given.
. "$(dirname "$0")/lib.sh"
printf 'kernel: %s\n' "$(uname -r)"
cat >limit.c <<'C'
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <unistd.h>
static volatile sig_atomic_t signals;
static void count(int number)
{
    signals += number == SIGXFSZ;
}
static char told[1000];
static void say(const char *what, int error)
{
    snprintf(told + strlen(told), sizeof told - strlen(told), "%s %s%s, ", what,
        error == 0 ? "done" : strerrorname_np(error), signals ? " and SIGXFSZ" : "");
    signals = 0;
}
static void limit(rlim_t bytes)
{
    struct rlimit limit = { bytes, RLIM_INFINITY };
    setrlimit(RLIMIT_FSIZE, &limit);
}
static void semaphore(const char *what, const char *name, int flags)
{
    errno = 0;
    say(what, sem_open(name, flags, 0600, 1) == SEM_FAILED ? errno : 0);
}
int main(void)
{
    signal(SIGXFSZ, count);
    int segment = shm_open("/segment", O_CREAT | O_RDWR, 0600), memory = memfd_create("memory", 0);
    semaphore("new semaphore", "/first", O_CREAT);
    limit(4096);
    say("segment of 4096", ftruncate(segment, 4096) == 0 ? 0 : errno);
    say("of 8192", ftruncate(segment, 8192) == 0 ? 0 : errno);
    say("fallocate", posix_fallocate(segment, 0, 8192));
    say("memfd", ftruncate(memory, 8192) == 0 ? 0 : errno);
    say("shmget", shmget(IPC_PRIVATE, 8192, 0600) >= 0 ? 0 : errno);
    say("anonymous", mmap(NULL, 8192, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0) != MAP_FAILED ? 0 : errno);
    limit(16);
    semaphore("old semaphore", "/first", 0);
    semaphore("new semaphore", "/second", O_CREAT);
    limit(RLIM_INFINITY);
    semaphore("new semaphore", "/second", O_CREAT);
    printf("%s", told);
    return 0;
}
C
gcc -Wall -o limit limit.c -pthread
expect 'with 4096 bytes, 16 bytes and none' "new semaphore done, segment of 4096 done, of 8192 EFBIG and SIGXFSZ, \
fallocate EFBIG and SIGXFSZ, memfd EFBIG and SIGXFSZ, shmget done, anonymous done, old semaphore done, \
new semaphore ENOENT, new semaphore done, " "$(./limit)"
finish
