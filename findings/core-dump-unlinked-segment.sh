#!/usr/bin/env bash
# Whether a POSIX segment is in the core dump depends on whether it has been unlinked.
# Guess: by core(5), the default filter dumps anonymous shared mappings (System V, memfds) and no file-backed shared
# ones; a POSIX segment is a file of /dev/shm, so it is never in, like a mapped file of the disk.
# Seen (Linux 6.18): what counts as anonymous is a mapping whose file has no name left. The segment that was unlinked
# after it was mapped is dumped, with all its size, and so is a removed file of the disk; with their names, neither is.
. "$(dirname "$0")/lib.sh"
printf 'kernel: %s\n' "$(uname -r)"
grep -q '^[^|/]*$' /proc/sys/kernel/core_pattern || { echo 'needs core dumps in the current folder'; exit 2; }
cat >dump.c <<'C'
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <unistd.h>
static void fill(char *map, const char *what)
{
    snprintf(map, 4096, "%s-%s", "KEPT", what);
}
static void file(int file, const char *what)
{
    if (ftruncate(file, 4096) == 0) fill(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0), what);
}
int main(void)
{
    struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
    FILE *filter = fopen("/proc/self/coredump_filter", "w");
    fputs("0x33", filter);
    fclose(filter);
    file(shm_open("/named", O_CREAT | O_RDWR, 0600), "segment");
    file(shm_open("/gone", O_CREAT | O_RDWR, 0600), "segment,unlinked");
    file(open("named", O_CREAT | O_RDWR, 0600), "file");
    file(open("gone", O_CREAT | O_RDWR, 0600), "file,unlinked");
    file(memfd_create("memory", 0), "memfd");
    int id = shmget(IPC_PRIVATE, 4096, 0600);
    fill(shmat(id, NULL, 0), "SystemV");
    shmctl(id, IPC_RMID, NULL);
    shm_unlink("/gone");
    unlink("gone");
    return setrlimit(RLIMIT_CORE, &all) != 0 || raise(SIGABRT);
}
C
gcc -Wall -o dump dump.c
ulimit -c unlimited
(./dump || true) 2>/dev/null
expect 'in the core dump' 'KEPT-SystemV KEPT-file,unlinked KEPT-memfd KEPT-segment,unlinked' \
    "$(grep -aoE 'KEPT-[A-Za-z,]+' core* | LC_ALL=C sort -u | paste -sd ' ')"
finish
