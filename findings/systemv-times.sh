#!/usr/bin/env bash
# The time of the last operation of a System V semaphore may be the end of a process that had nothing to undo, and the
# time of the last attach of a segment may be an mprotect.
# Guess: sem_otime is the "last semop time" and shm_atime the "last attach time", as in semctl(2) and shmctl(2); the end
# of a process counts where its SEM_UNDO changes a value, and nothing is attached by mprotect.
# Seen (Linux 6.18): who once took and gave with SEM_UNDO sets sem_otime when it ends, however long ago and at whatever
# value; without SEM_UNDO its end does nothing. mprotect of one page of an attachment, and fork, set shm_atime.
. "$(dirname "$0")/lib.sh"
printf 'kernel: %s\n' "$(uname -r)"
cat >times.c <<'C'
#include <stdio.h>
#include <sys/mman.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>
static long of_set(int id)
{
    struct semid_ds state;
    semctl(id, 0, IPC_STAT, &state);
    return state.sem_otime;
}
static long of_segment(int id)
{
    struct shmid_ds state;
    shmctl(id, IPC_STAT, &state);
    return state.shm_atime;
}
static const char *moved(long before, long after)
{
    return after > before ? "moved" : "same";
}
static void end_of_process(const char *what, int flag)
{
    int told[2], end[2], id = semget(IPC_PRIVATE, 1, 0600);
    char byte = 0;
    if (pipe(told) != 0 || pipe(end) != 0) return;
    semctl(id, 0, SETVAL, 1);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        struct sembuf take = { 0, -1, flag }, give = { 0, 1, flag };
        close(end[1]);
        int failed = semop(id, &take, 1) != 0 || semop(id, &give, 1) != 0 || write(told[1], "g", 1) != 1;
        _exit(failed || read(end[0], &byte, 1) != 0);
    }
    if (read(told[0], &byte, 1) != 1) return;
    long before = of_set(id);
    sleep(2);
    printf("%s %s then ", what, moved(before, of_set(id)));
    close(end[1]);
    waitpid(child, NULL, 0);
    printf("%s\n", moved(before, of_set(id)));
    semctl(id, 0, IPC_RMID);
}
int main(void)
{
    end_of_process("undo", SEM_UNDO);
    end_of_process("plain", 0);
    int id = shmget(IPC_PRIVATE, 8192, 0600);
    char *map = shmat(id, NULL, 0);
    long before = of_segment(id);
    sleep(2);
    map[0] = 'x';
    printf("write %s, ", moved(before, of_segment(id)));
    mprotect(map, 4096, PROT_READ);
    printf("mprotect %s, ", moved(before, of_segment(id)));
    before = of_segment(id);
    sleep(2);
    fflush(stdout);
    if (fork() == 0) _exit(0);
    wait(NULL);
    printf("fork %s\n", moved(before, of_segment(id)));
    return shmctl(id, IPC_RMID, NULL);
}
C
gcc -Wall -o times times.c
./times >seen
expect 'sem_otime, with SEM_UNDO' 'undo same then moved' "$(sed -n 1p seen)"
expect 'sem_otime, without' 'plain same then same' "$(sed -n 2p seen)"
expect 'shm_atime' 'write same, mprotect moved, fork moved' "$(sed -n 3p seen)"
finish
