#!/usr/bin/env bash
# A mapping for reading alone keeps F_SEAL_WRITE from a memfd, unless it was made from a descriptor for reading.
# Guess: as fcntl(2) says, adding F_SEAL_WRITE is EBUSY while there is a *writable* shared mapping; readers do not
# matter.
# Seen (Linux 6.18): a PROT_READ, MAP_SHARED mapping of an O_RDWR descriptor could be made writable later, so it counts,
# and the seal is refused. The same mapping of the memfd opened again with O_RDONLY does not count. So a maker that
# keeps a view of its own to check what it wrote can never seal.
. "$(dirname "$0")/lib.sh"
printf 'kernel: %s\n' "$(uname -r)"
cat >seal.c <<'C'
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>
static const char *seal(int file)
{
    return fcntl(file, F_ADD_SEALS, F_SEAL_WRITE) == 0 ? "sealed" : errno == EBUSY ? "EBUSY" : "?";
}
int main(void)
{
    char path[50];
    int file = memfd_create("view", MFD_ALLOW_SEALING);
    if (ftruncate(file, 4096) != 0) return 1;
    void *view = mmap(NULL, 4096, PROT_READ, MAP_SHARED, file, 0);
    printf("O_RDWR %s, ", seal(file));
    munmap(view, 4096);
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    int reader = open(path, O_RDONLY);
    view = mmap(NULL, 4096, PROT_READ, MAP_SHARED, reader, 0);
    printf("O_RDONLY %s, ", seal(file));
    view = mmap(NULL, 4096, PROT_READ, MAP_SHARED, file, 0);
    printf("O_RDWR after the seal %s\n", view == MAP_FAILED ? "refused" : "mapped");
    return 0;
}
C
gcc -Wall -o seal seal.c
expect 'mapped for reading' 'O_RDWR EBUSY, O_RDONLY sealed, O_RDWR after the seal mapped' "$(./seal)"
finish
