#!/usr/bin/env bash
# shmdt takes the address at which a segment was attached, even where nothing, or something else, is mapped by now; and
# a piece that was moved can be detached only by an address at which it never was.
# Guess: shmdt(2) promises EINVAL where "there is no shared memory segment attached at" the address, so what is left
# after munmap of the first page stays attached, and a moved piece is detached by its new address.
# Seen (Linux 6.18): after munmap of the first of four pages, or with other memory mapped there, shmdt of the old
# address detaches the rest and leaves the other memory. The last two pages, moved by mremap, stay attached after that;
# shmdt of their address says EINVAL, and shmdt of two pages before it, where nothing is, detaches them.
. "$(dirname "$0")/lib.sh"
printf 'kernel: %s\n' "$(uname -r)"
cat >detach.c <<'C'
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <unistd.h>
static int id;
static void say(const char *what, int result)
{
    struct shmid_ds state;
    shmctl(id, IPC_STAT, &state);
    printf("%s %d (%d), ", what, result, (int)state.shm_nattch);
}
int main(void)
{
    long page = sysconf(_SC_PAGESIZE);
    id = shmget(IPC_PRIVATE, 4 * page, 0600);
    char *start = shmat(id, NULL, 0);
    say("attached", munmap(start, page));
    say("nothing there", shmdt(start));
    start = shmat(id, NULL, 0);
    mmap(start, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    *start = 'x';
    say("other memory there", shmdt(start));
    printf("which holds %c, ", *start);
    start = shmat(id, NULL, 0);
    char *room = mmap(NULL, 8 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *moved = mremap(start + 2 * page, 2 * page, 2 * page, MREMAP_MAYMOVE | MREMAP_FIXED, room + 4 * page);
    munmap(room, 4 * page);
    say("the half that stayed", shmdt(start));
    say("the moved half", shmdt(moved));
    say("two pages before it", shmdt(moved - 2 * page));
    shmctl(id, IPC_RMID, NULL);
    return 0;
}
C
gcc -Wall -o detach detach.c
expect 'shmdt (and attachments left)' "attached 0 (1), nothing there 0 (0), other memory there 0 (0), which holds x, \
the half that stayed 0 (1), the moved half -1 (1), two pages before it 0 (0), " "$(./detach)"
finish
