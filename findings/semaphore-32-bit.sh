#!/usr/bin/env bash
# A 32-bit and a 64-bit program of one glibc open the same named semaphore without an error and see different counts.
# Guess: sem_open of the other width fails (the file is 16 bytes of one and 32 of the other), or the count, which both
# keep in the first word, is the same.
# Seen (glibc 2.36, Linux on x86-64): a count of 3 that a 32-bit program gave is 6 to a 64-bit one, and 3 given by a
# 64-bit program is 1 to a 32-bit one: the 32-bit layout keeps "somebody waits" in the lowest bit. Neither errno nor a
# message tells.
. "$(dirname "$0")/lib.sh"
unpack libc6-i386=2.36-9+deb12u14 libc6-dev-i386=2.36-9+deb12u14 lib32gcc-12-dev=12.2.0-14+deb12u1 \
    lib32gcc-s1=12.2.0-14+deb12u1
cat >count.c <<'C'
#include <fcntl.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv)
{
    sem_t *semaphore = argc > 2 ? sem_open(argv[1], O_CREAT | O_EXCL, 0600, atoi(argv[2])) : sem_open(argv[1], 0);
    int count = -1;
    if (semaphore != SEM_FAILED) sem_getvalue(semaphore, &count);
    printf("%d to the %d-bit program", count, 8 * (int)sizeof(void *));
    return 0;
}
C
libraries=$work/root/lib32
sed -i "s|GROUP.*|GROUP ( $libraries/libc.so.6 $work/root/usr/lib32/libc_nonshared.a )|" root/usr/lib32/libc.so
gcc -Wall -o wide count.c -pthread
gcc -m32 -o narrow count.c -isystem root/usr/include/x86_64-linux-gnu -isystem /usr/include/x86_64-linux-gnu \
    -B root/usr/lib32/ -B root/usr/lib/gcc/x86_64-linux-gnu/12/32/ -Lroot/usr/lib/gcc/x86_64-linux-gnu/12/32 \
    "-L$libraries" -Lroot/usr/lib32 "-Lroot/lib32" "-Wl,--dynamic-linker,$libraries/ld-linux.so.2" \
    "-Wl,-rpath,$libraries"
expect 'made by 32 bits' '3 to the 32-bit program, 6 to the 64-bit program' "$(./narrow /narrow 3), $(./wide /narrow)"
expect 'made by 64 bits' '3 to the 64-bit program, 1 to the 32-bit program' "$(./wide /wide 3), $(./narrow /wide)"
expect 'sizes' '16 32' "$(stat -c %s /dev/shm/sem.narrow /dev/shm/sem.wide | paste -sd ' ')"
finish
