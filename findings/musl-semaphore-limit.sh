#!/usr/bin/env bash
# A program on musl has room for 256 named semaphores, and is then refused even one that it has open already.
# Guess: as with glibc, memory is the limit, and a name that is open is given again.
# Seen (musl 1.2.3): the 257th fails with EMFILE, "No file descriptors available", though it needs no descriptor and
# ulimit -n is far away. sem_unlink makes no room; sem_close of any does, and then an open name gives its pointer again.
. "$(dirname "$0")/lib.sh"
unpack musl=1.2.3-1 musl-dev=1.2.3-1
cat >many.c <<'C'
#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdio.h>
static sem_t *semaphores[400];
static sem_t *open_one(int number)
{
    char name[32];
    sprintf(name, "/many-%d", number);
    return sem_open(name, O_CREAT, 0600, 1);
}
static const char *opens(int number)
{
    sem_t *got = open_one(number);
    if (got == SEM_FAILED) return errno == EMFILE ? "EMFILE" : "?";
    return got == semaphores[number] ? "same" : "made";
}
int main(void)
{
    int count = 0;
    while (count < 400 && (semaphores[count] = open_one(count)) != SEM_FAILED) count++;
    printf("%d", count);
    if (count == 400) return printf(", open one %s", opens(5)) < 0;
    printf(", another %s, open one %s", opens(count), opens(5));
    sem_unlink("/many-3");
    printf(", after unlink %s", opens(count));
    sem_close(semaphores[7]);
    return printf(", after close: open one %s", opens(5)) < 0;
}
C
lib=root/usr/lib/x86_64-linux-musl
gcc -O1 -static -nostdinc -isystem root/usr/include/x86_64-linux-musl -nostdlib -o musl \
    "$lib/crt1.o" "$lib/crti.o" many.c "$lib/libc.a" "$lib/crtn.o" -lgcc
gcc -O1 -o glibc many.c
expect 'glibc' '400, open one same' "$(./glibc)"
rm /dev/shm/*
expect 'musl' '256, another EMFILE, open one EMFILE, after unlink EMFILE, after close: open one same' "$(./musl)"
finish
