#!/usr/bin/env bash
# shmdt of a segment that mseal has sealed says 0, and the segment stays attached.
# Guess: mseal(2) makes munmap fail with EPERM, so shmdt fails with EPERM too.
# Seen (Linux 6.18): shmdt answers 0 however often it is called, the memory can still be read, and shm_nattch stays 1
# till the process ends. munmap of the same address does say EPERM. So a library that counts on shmdt's answer believes
# that a removed segment is gone.
. "$(dirname "$0")/lib.sh"
printf 'kernel: %s\n' "$(uname -r)"
cat >seal.c <<'C'
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <unistd.h>
static void detach(int seal)
{
    struct shmid_ds state;
    int id = shmget(IPC_PRIVATE, 4096, 0600);
    char *map = shmat(id, NULL, 0);
    map[0] = 'x';
    if (seal && syscall(462, map, 4096, 0) != 0) return; /* mseal */
    printf("%s: ", seal ? "sealed" : "plain");
    if (seal) printf("munmap %s, ", munmap(map, 4096) == 0 ? "0" : errno == EPERM ? "EPERM" : "?");
    printf("shmdt %d, ", shmdt(map));
    shmctl(id, IPC_STAT, &state);
    printf("attached %d, again %d", (int)state.shm_nattch, shmdt(map));
    if (seal) printf(", byte %c", map[0]);
    printf("\n");
    shmctl(id, IPC_RMID, NULL);
}
int main(void)
{
    detach(0);
    detach(1);
    return 0;
}
C
gcc -Wall -o seal seal.c
./seal >seen
said() { sed -n "s/^$1: //p" seen; }
expect 'plain' 'shmdt 0, attached 0, again -1' "$(said plain)"
expect 'sealed' 'munmap EPERM, shmdt 0, attached 1, again 0, byte x' "$(said sealed)"
finish
