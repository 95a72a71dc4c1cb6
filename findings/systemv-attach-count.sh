#!/usr/bin/env bash
# shm_nattch, the "number of current attaches" (shmctl(2), ipcs -m, /proc/sysvipc/shm), counts pieces of mappings, not
# calls of shmat.
# Guess: one shmat is one attach until shmdt, whatever else the process does with its memory.
# Seen (Linux 6.18): mprotect of the middle page of one attachment makes it 3; unmapping that page then makes it 2.
# Giving all pages one protection again leaves it at 3, as the kernel does not join such pieces. So "I am alone when
# it is 1" fails in a process that protects a page, and 2 says nothing of two processes.
. "$(dirname "$0")/lib.sh"
printf 'kernel: %s\n' "$(uname -r)"
cat >attach.c <<'C'
#include <stdio.h>
#include <sys/mman.h>
#include <sys/shm.h>
static void say(const char *what, int id)
{
    struct shmid_ds status;
    shmctl(id, IPC_STAT, &status);
    printf("%s %ld, ", what, (long)status.shm_nattch);
}
int main(void)
{
    int id = shmget(IPC_PRIVATE, 3 * 4096, 0600);
    char *memory = shmat(id, NULL, 0);
    say("shmat", id);
    mprotect(memory + 4096, 4096, PROT_READ);
    say("mprotect", id);
    mprotect(memory + 4096, 4096, PROT_READ | PROT_WRITE);
    say("undone", id);
    munmap(memory + 4096, 4096);
    say("munmap", id);
    int result = shmdt(memory);
    say(result == 0 ? "shmdt" : "shmdt-failed", id);
    return shmctl(id, IPC_RMID, NULL);
}
C
gcc -Wall -o attach attach.c
expect 'shm_nattch' 'shmat 1, mprotect 3, undone 3, munmap 2, shmdt 0, ' "$(./attach)"
finish
