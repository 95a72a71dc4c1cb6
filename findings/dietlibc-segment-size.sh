#!/usr/bin/env bash
# A program that is built with dietlibc sees each System V segment with size 0; its size is in the field for the time of
# the last change.
# Guess: its headers are those of the kernel for each machine, so IPC_STAT tells what it tells a program of glibc.
# Seen (dietlibc 0.34, x64): struct shmid_ds has the fields of the first 32-bit Linux, a size of 32 bits and attachments
# of 16, where the kernel writes 64-bit ones behind a longer ipc_perm. Mode, key and owner are right. The calls for
# semaphores and ftok agree with glibc's, and the linker says of ftok that it is "obsolete _and_ repugnant junk".
. "$(dirname "$0")/lib.sh"
unpack dietlibc-dev=0.34~cvs20160606-14
cat >state.c <<'C'
#include <stdio.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/shm.h>
int main(int count, char **words)
{
    static union { struct shmid_ds state; char room[256]; } segment;
    static union { struct semid_ds state; char room[256]; } set;
    key_t key = ftok(words[count - 1], 'x');
    int id = shmget(key, 5000, 0640 | IPC_CREAT);
    shmat(id, NULL, 0);
    shmctl(id, IPC_STAT, &segment.state);
    semctl(semget(key, 3, 0620 | IPC_CREAT), 0, IPC_STAT, &set.state);
    printf("key %x: ", (unsigned)key >> 24);
    printf("mode %o, size %ld, ", (unsigned)segment.state.shm_perm.mode, (long)segment.state.shm_segsz);
    printf("%s of 5000; ", segment.state.shm_ctime == 5000 ? "change time" : "no time");
    printf("mode %o, %ld semaphores\n", (unsigned)set.state.sem_perm.mode, (long)set.state.sem_nsems);
    return 0;
}
C
diet=$work/root/usr/lib/x86_64-linux-gnu/diet/lib-x86_64
gcc -Wall -o state state.c
gcc -Wall -nostdlib -static -isystem root/usr/include/diet -o state-diet state.c "$diet/start.o" "$diet/libcompat.a" \
    "$diet/libc.a" -lgcc 2>warnings
: >key
expect 'glibc' 'key 78: mode 640, size 5000, no time of 5000; mode 620, 3 semaphores' "$(./state key)"
expect 'dietlibc' 'key 78: mode 640, size 0, change time of 5000; mode 620, 3 semaphores' "$(./state-diet key)"
expect 'segments' '1' "$(awk 'NR > 1' /proc/sysvipc/shm | wc -l)"
expect 'the linker' '1' "$(grep -c 'ftok is obsolete _and_ repugnant junk' warnings)"
finish
