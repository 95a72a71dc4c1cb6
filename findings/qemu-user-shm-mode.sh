#!/usr/bin/env bash
# Under qemu-user, IPC_STAT writes only half of shm_perm.mode: the other bytes stay what the caller's buffer held.
# Guess: of the calls of System V and POSIX IPC, qemu-user either makes all as the kernel does or fails with ENOSYS.
# Seen (qemu-user-static 7.2, an x86-64 program on x86-64; the same with arm64): of some 60 calls tried, all answer as
# on Linux, but for futex_waitv and io_uring, which are ENOSYS, and for the mode of segments and sets: glibc's field has
# 32 bits, qemu writes 16. A program that compares the whole mode sees another one than it gave, unless it had cleared
# the buffer before the call.
. "$(dirname "$0")/lib.sh"
unpack qemu-user-static=1:7.2+dfsg-7+deb12u18+b3
cat >mode.c <<'C'
#include <stdio.h>
#include <string.h>
#include <sys/sem.h>
#include <sys/shm.h>
int main(void)
{
    int segment = shmget(IPC_PRIVATE, 4096, 0640), set = semget(IPC_PRIVATE, 1, 0640);
    struct shmid_ds of_segment;
    struct semid_ds of_set;
    memset(&of_segment, 0x11, sizeof of_segment);
    memset(&of_set, 0x11, sizeof of_set);
    shmctl(segment, IPC_STAT, &of_segment);
    semctl(set, 0, IPC_STAT, &of_set);
    printf("segment %#o, set %#o, size %zu", of_segment.shm_perm.mode, of_set.sem_perm.mode, of_segment.shm_segsz);
    shmctl(segment, IPC_RMID, NULL);
    semctl(set, 0, IPC_RMID);
    return 0;
}
C
gcc -Wall -o mode mode.c
expect 'Linux' 'segment 0640, set 0640, size 4096' "$(./mode)"
expect 'qemu-user' 'segment 02104200640, set 02104200640, size 4096' "$(root/usr/bin/qemu-x86_64-static ./mode)"
finish
