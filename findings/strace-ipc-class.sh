#!/usr/bin/env bash
# `strace -e trace=%ipc` shows the calls of System V only: of a program that uses POSIX queues, semaphores, segments,
# memfds and futexes it shows nothing.
# Guess: strace(1) says "all IPC related system calls"; mq_open, mq_timedsend, memfd_create and futex are some.
# Seen (strace 6.1): the class has semget, shmget, msgget and their like. The calls of POSIX queues and memfd_create are
# in %desc, beside each read and write; futex is in no class.
. "$(dirname "$0")/lib.sh"
unpack strace=6.1-0.1
cat >calls.c <<'C'
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/futex.h>
#include <mqueue.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(void)
{
    static int word;
    mqd_t queue = mq_open("/queue", O_CREAT | O_RDWR, 0600, NULL);
    mq_send(queue, "job", 3, 0);
    mq_notify(queue, NULL);
    mq_unlink("/queue");
    memfd_create("memory", 0);
    syscall(SYS_futex, &word, FUTEX_WAKE, 1, NULL, NULL, 0);
    semget(IPC_PRIVATE, 1, 0600);
    shmget(IPC_PRIVATE, 1, 0600);
    msgget(IPC_PRIVATE, 0600);
    return 0;
}
C
gcc -Wall -o calls calls.c
seen() { # CLASS: which of the calls it shows
    root/usr/bin/strace -o traced -e trace="$1" ./calls
    sed -nE 's/^(mq_[a-z]*|memfd_create|futex|semget|shmget|msgget)\(.*/\1/p' traced | paste -sd ' '
}
expect 'all' 'mq_open mq_timedsend mq_notify mq_unlink memfd_create futex semget shmget msgget' "$(seen all)"
expect '%ipc' 'semget shmget msgget' "$(seen %ipc)"
expect '%desc' 'mq_open mq_timedsend mq_notify memfd_create' "$(seen %desc)"
expect 'the other classes' '' \
    "$(seen %file,%process,%net,%signal,%memory,%clock,%creds,%pure,%stat,%lstat,%fstat,%statfs,%fstatfs)"
finish
