#!/usr/bin/env bash
# Memory of memfd_secret can be shared by two processes, and neither can wait in it, or wake the other: a shared futex
# says EFAULT.
# Guess: it is as a memfd, but out of the kernel's sight: passed as a descriptor, mapped by both, with locks in it.
# Seen (Linux 6.18): both map it and see each other's writes, so a free lock works, which is a word; FUTEX_WAIT and
# FUTEX_WAKE fail with EFAULT unless they are private to the process. It cannot be read by its descriptor, nor opened
# anew by /proc.
. "$(dirname "$0")/lib.sh"
printf 'kernel: %s\n' "$(uname -r)"
cat >secret.c <<'C'
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
static const char *futex(int *word, int operation)
{
    struct timespec moment = { 0, 50000000 };
    return syscall(SYS_futex, word, operation, *word, &moment, NULL, 0) < 0 ? strerror(errno) : "fine";
}
static void try(const char *kind, int file)
{
    if (ftruncate(file, 4096) != 0) return;
    int *word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (fork() == 0) {
        int *other = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        *other = 7;
        _exit(0);
    }
    wait(NULL);
    char path[64], byte;
    sprintf(path, "/proc/self/fd/%d", file);
    printf("%s sees %d; wait: %s, wake: %s; private wait: %s, wake: %s; ", kind, *word, futex(word, FUTEX_WAIT),
        futex(word, FUTEX_WAKE), futex(word, FUTEX_WAIT_PRIVATE), futex(word, FUTEX_WAKE_PRIVATE));
    printf("read: %s, ", pread(file, &byte, 1, 0) == 1 ? "fine" : "refused");
    printf("open: %s\n", open(path, O_RDWR) >= 0 ? "fine" : "refused");
}
int main(void)
{
    try("memfd", memfd_create("memory", 0));
    try("secret", syscall(SYS_memfd_secret, 0));
    return 0;
}
C
gcc -Wall -o secret secret.c
./secret >seen
timed='Connection timed out'
expect 'memfd' "memfd sees 7; wait: $timed, wake: fine; private wait: $timed, wake: fine; read: fine, open: fine" \
    "$(sed -n 1p seen)"
refused='wait: Bad address, wake: Bad address'
expect 'secret' "secret sees 7; $refused; private wait: $timed, wake: fine; read: refused, open: refused" \
    "$(sed -n 2p seen)"
finish
