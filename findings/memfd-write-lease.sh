#!/usr/bin/env bash
# A write lease on a memfd is refused while nobody else has it, and given as soon as one other descriptor is there.
# Guess: F_SETLEASE does on a memfd what it does on a file of /dev/shm: F_WRLCK works for the only descriptor and is
# EAGAIN beside another one; F_RDLCK is EAGAIN while somebody has it open for writing.
# Seen (Linux 6.18): the first descriptor of a memfd is not counted as a writer. So F_WRLCK is EAGAIN for the only user,
# is given beside one other writer, and is EAGAIN beside two; F_RDLCK is given though the memfd is open for writing.
# "Am I the last one?" cannot be asked so.
. "$(dirname "$0")/lib.sh"
printf 'kernel: %s\n' "$(uname -r)"
cat >lease.c <<'C'
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>
static const char *ask(int file, int lease)
{
    int result = fcntl(file, F_SETLEASE, lease), error = errno;
    if (result == 0) fcntl(file, F_SETLEASE, F_UNLCK);
    return result == 0 ? "given" : error == EAGAIN ? "EAGAIN" : "?";
}
static void try(const char *what, int file)
{
    char path[50];
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    printf("%s: alone %s, ", what, ask(file, F_WRLCK));
    printf("to read %s, ", ask(file, F_RDLCK));
    int second = open(path, O_RDWR);
    printf("beside one %s, ", ask(file, F_WRLCK));
    int third = open(path, O_RDWR);
    printf("beside two %s\n", ask(file, F_WRLCK));
    close(second);
    close(third);
}
int main(void)
{
    try("segment", shm_open("/segment", O_CREAT | O_RDWR, 0600));
    try("memfd", memfd_create("memory", 0));
    return 0;
}
C
gcc -Wall -o lease lease.c
./lease >seen
said() { sed -n "s/^$1: //p" seen; }
expect 'POSIX segment' 'alone given, to read EAGAIN, beside one EAGAIN, beside two EAGAIN' "$(said segment)"
expect 'memfd' 'alone EAGAIN, to read given, beside one given, beside two EAGAIN' "$(said memfd)"
finish
