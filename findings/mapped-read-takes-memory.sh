#!/usr/bin/env bash
# To look at a fresh segment through a mapping takes memory for each page, also with a read-only or private mapping;
# to read it takes none.
# Guess: a page that nobody has written is the kernel's page of zeros, and only a store takes memory, as with anonymous
# memory.
# Seen (Linux 6.18): read(2) of a segment of 1 MiB leaves it at 0 blocks. One load per page through a PROT_READ mapping,
# MAP_SHARED or MAP_PRIVATE, fills it: 256 pages. The same for a System V segment that is attached by SHM_RDONLY.
. "$(dirname "$0")/lib.sh"
printf 'kernel: %s\n' "$(uname -r)"
cat >look.c <<'C'
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <unistd.h>
enum { size = 1 << 20 };
static int file;
static void make(void)
{
    file = shm_open("/look", O_CREAT | O_EXCL | O_RDWR, 0600);
    if (ftruncate(file, size) != 0) perror("ftruncate");
    close(file);
    file = shm_open("/look", O_RDONLY, 0);
}
static void say(const char *what)
{
    struct stat status;
    fstat(file, &status);
    printf("%s %ld KiB, ", what, (long)status.st_blocks / 2);
    shm_unlink("/look");
    close(file);
}
static int look(volatile const char *memory)
{
    int sum = 0;
    for (int at = 0; at < size; at += 4096) sum += memory[at];
    return sum;
}
int main(void)
{
    char bytes[4096];
    make();
    while (read(file, bytes, sizeof bytes) > 0) continue;
    say("read");
    make();
    int sum = look(mmap(NULL, size, PROT_READ, MAP_SHARED, file, 0));
    say("shared");
    make();
    sum += look(mmap(NULL, size, PROT_READ, MAP_PRIVATE, file, 0));
    say("private");
    int id = shmget(IPC_PRIVATE, size, 0600);
    sum += look(shmat(id, NULL, SHM_RDONLY));
    struct shm_info all;
    shmctl(0, SHM_INFO, (struct shmid_ds *)&all);
    shmctl(id, IPC_RMID, NULL);
    printf("System V %lu KiB, sum %d", all.shm_rss * 4, sum);
    return 0;
}
C
gcc -Wall -D_GNU_SOURCE -o look look.c
expect 'memory' 'read 0 KiB, shared 1024 KiB, private 1024 KiB, System V 1024 KiB, sum 0' "$(./look)"
finish
