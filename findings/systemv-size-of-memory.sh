#!/usr/bin/env bash
# shmget refuses a segment that is larger than the machine's memory and swap, although it takes none yet; with
# SHM_NORESERVE, and for a POSIX segment, the same size is given.
# Guess: kernel.shmmax and shmall (ipcs -l) are the limits of a segment's size, and memory is taken as it is touched.
# Seen (Linux 6.18, vm.overcommit_memory=0, the kernel's own setting): shmget of twice the memory and swap says ENOMEM,
# far below both limits. The whole size is set against the machine's memory when it is made. A file of /dev/shm is not,
# nor is its mapping, so a sparse segment of that size has to be a POSIX one or be made with SHM_NORESERVE.
. "$(dirname "$0")/lib.sh"
printf 'kernel: %s\n' "$(uname -r)"
expect 'vm.overcommit_memory' 0 "$(cat /proc/sys/vm/overcommit_memory)"
size=$(awk '/^(MemTotal|SwapTotal):/ { kib += $2 } END { printf "%.0f", kib * 2 * 1024 }' /proc/meminfo)
expect 'shmmax is larger' yes "$(perl -e 'print $ARGV[0] > $ARGV[1] ? "yes" : "no"' \
    "$(cat /proc/sys/kernel/shmmax)" "$size")"
cat >make.c <<'C'
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <unistd.h>
static const char *word(int failed) { return !failed ? "made" : errno == ENOMEM ? "ENOMEM" : "another error"; }
int main(int count, char **words)
{
    size_t size = count > 1 ? strtoull(words[1], NULL, 10) : 0;
    printf("shmget %s, ", word(shmget(1, size, IPC_CREAT | 0600) < 0));
    printf("with SHM_NORESERVE %s, ", word(shmget(2, size, IPC_CREAT | SHM_NORESERVE | 0600) < 0));
    int file = shm_open("/large", O_CREAT | O_RDWR, 0600);
    printf("POSIX %s, ", word(file < 0 || ftruncate(file, (off_t)size) != 0));
    printf("mapped %s", word(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0) == MAP_FAILED));
    return 0;
}
C
gcc -Wall -D_GNU_SOURCE -o make make.c
expect 'twice the memory and swap' 'shmget ENOMEM, with SHM_NORESERVE made, POSIX made, mapped made' "$(./make "$size")"
finish
