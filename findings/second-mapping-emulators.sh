#!/usr/bin/env bash
# Under qemu-user, and under Valgrind, a shared mapping cannot be mapped a second time by mremap with an old size of 0.
# Guess: mremap is passed on; moving a part of a mapping works there.
# Seen (qemu-user-static 7.2, x86-64 on x86-64; Valgrind 3.19): it fails for POSIX, System V and anonymous memory, at
# any place and at a chosen one, by qemu-user as when memory is short (ENOMEM), by Valgrind with EINVAL. A move to a
# chosen place works. A program that gets its second view in this way needs mmap of a descriptor there.
. "$(dirname "$0")/lib.sh"
unpack qemu-user-static=1:7.2+dfsg-7+deb12u18+b3 valgrind=1:3.19.0-1
cat >second.c <<'C'
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <unistd.h>
static void try(const char *what, char *first)
{
    char *place = mmap(NULL, 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *second = mremap(first, 0, 4096, MREMAP_MAYMOVE);
    printf("%s %s", what, second == MAP_FAILED ? strerrorname_np(errno) : (*first = 7) == *second ? "second" : "other");
    second = mremap(first, 0, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, place);
    printf(" %s", second == MAP_FAILED ? strerrorname_np(errno) : (*first = 8) == *second ? "second" : "other");
    second = mremap(first, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, place + 4096);
    printf(" %s; ", second == place + 4096 ? "moved" : "not moved");
}
int main(void)
{
    int file = shm_open("/finding", O_RDWR | O_CREAT, 0600), segment = shmget(IPC_PRIVATE, 4096, 0600);
    if (ftruncate(file, 4096) != 0) return 1;
    try("POSIX", mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0));
    try("System V", shmat(segment, NULL, 0));
    try("anonymous", mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    shmctl(segment, IPC_RMID, NULL);
    return 0;
}
C
gcc -Wall -static -o second second.c
expect 'the machine' 'POSIX second second moved; System V second second moved; anonymous second second moved; ' \
    "$(./second)"
expect 'qemu-user' 'POSIX ENOMEM ENOMEM moved; System V ENOMEM ENOMEM moved; anonymous ENOMEM ENOMEM moved; ' \
    "$(root/usr/bin/qemu-x86_64-static ./second)"
export VALGRIND_LIB=$PWD/root/usr/libexec/valgrind
expect 'Valgrind' 'POSIX EINVAL EINVAL moved; System V EINVAL EINVAL moved; anonymous EINVAL EINVAL moved; ' \
    "$(root/usr/bin/valgrind.bin --tool=none -q ./second)"
finish
