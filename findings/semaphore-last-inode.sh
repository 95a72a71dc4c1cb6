#!/usr/bin/env bash
# The last free inode of /dev/shm is enough for a segment, but not for a semaphore.
# Guess: each is one file, so one free inode is enough for either; `df -i` says how many can be made.
# Seen (Linux 6.18, glibc 2.36, musl 1.2.3): sem_open makes a file under a passing name and links it to its own, and on
# tmpfs a second name of a file is counted as an inode. With one left, sem_open says ENOSPC, in both C libraries;
# shm_open takes it.
. "$(dirname "$0")/lib.sh"
printf 'kernel: %s\n' "$(uname -r)"
mount -o remount,nr_inodes=4 /dev/shm # the folder is one
cat >make.c <<'C'
#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdio.h>
#include <sys/mman.h>
int main(int count, char **words)
{
    int made = words[1][0] == 's' ? sem_open(words[2], O_CREAT | O_EXCL, 0600, 1) != SEM_FAILED
        : shm_open(words[2], O_CREAT | O_EXCL | O_RDWR, 0600) >= 0;
    puts(made ? "made" : errno == ENOSPC ? "ENOSPC" : "?");
    return count != 3;
}
C
gcc -Wall -o make make.c -pthread
musl-gcc -Wall -o make-musl make.c
free() { df --output=iavail /dev/shm | tail -n 1 | tr -d ' '; }
expect 'glibc: two semaphores' 'made made' "$(./make semaphore /1) $(./make semaphore /2)"
expect 'free inodes' '1' "$(free)"
expect 'glibc: a third semaphore' 'ENOSPC' "$(./make semaphore /3)"
expect 'free inodes' '1' "$(free)"
expect 'glibc: a segment' 'made' "$(./make memory /3)"
rm /dev/shm/*
expect 'musl: semaphores' 'made made ENOSPC' \
    "$(./make-musl semaphore /1) $(./make-musl semaphore /2) $(./make-musl semaphore /3)"
expect 'musl: a segment' 'made' "$(./make-musl memory /3)"
finish
