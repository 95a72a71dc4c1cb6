#!/usr/bin/env bash
# NSPR's named semaphores and segments are System V objects of a key file at the very path of their name, and removing
# the segment takes the key file of the semaphore of the same name.
# Guess: on Linux PR_OpenSemaphore("/jobs") is the POSIX semaphore /jobs, and the two kinds of objects go each by
# itself.
# Seen (NSPR 4.35): "/jobs" is an empty file in the root folder, where only root may make it; a name without a slash is
# a file in the current folder. The ftok ids are "a" for a semaphore and "b" for a segment. After PR_DeleteSharedMemory
# the semaphore of that name can neither be opened nor deleted, and its set stays.
. "$(dirname "$0")/lib.sh"
unpack libnspr4=2:4.35-1 libnspr4-dev=2:4.35-1
cat >nspr.c <<'C'
#include <nspr/pripcsem.h>
#include <nspr/prshm.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <unistd.h>
static void look(const char *name)
{
    key_t key = ftok(name, 'a');
    printf("file %s, System V %s", access(name, F_OK) == 0 ? "there" : "gone",
        key != -1 && semget(key, 0, 0) >= 0 ? "set of its key" : "none");
}
int main(int count, char **words)
{
    const char *verb = words[1], *name = words[count - 1];
    PRSem *semaphore = NULL;
    if (strcmp(verb, "look") == 0) look(name);
    if (strcmp(verb, "create") == 0) semaphore = PR_OpenSemaphore(name, PR_SEM_CREATE, 0600, 1);
    if (strcmp(verb, "open") == 0) semaphore = PR_OpenSemaphore(name, 0, 0, 0);
    if (strcmp(verb, "delete") == 0) printf("%s", PR_DeleteSemaphore(name) == PR_SUCCESS ? "deleted" : "not there");
    if (strcmp(verb, "create") == 0 || strcmp(verb, "open") == 0) printf("%s", semaphore ? "opened" : "not there");
    if (strcmp(verb, "segment") == 0)
        printf("%s", PR_OpenSharedMemory(name, 100, PR_SHM_CREATE, 0600) ? "opened" : "not there");
    if (strcmp(verb, "delete-segment") == 0)
        printf("%s", PR_DeleteSharedMemory(name) == PR_SUCCESS ? "deleted" : "not there");
    return 0;
}
C
libraries=$work/root/usr/lib/x86_64-linux-gnu
gcc -Wall -I root/usr/include -I root/usr/include/nspr -o nspr nspr.c "$libraries/libnspr4.so" "-Wl,-rpath,$libraries"
name=$work/jobs
expect 'semaphore' 'opened' "$(./nspr create "$name")"
expect 'it is' 'file there, System V set of its key' "$(./nspr look "$name")"
expect '/dev/shm' '' "$(ls /dev/shm)"
expect 'the same, without a slash' 'opened' "$(./nspr open jobs)"
expect 'segment' 'opened' "$(./nspr segment "$name")"
expect 'segment deleted' 'deleted' "$(./nspr delete-segment "$name")"
expect 'the semaphore is' 'file gone, System V none' "$(./nspr look "$name")"
expect 'open' 'not there' "$(./nspr open "$name")"
expect 'delete' 'not there' "$(./nspr delete "$name")"
expect 'sets left' '1' "$(awk 'NR > 1' /proc/sysvipc/sem | wc -l)"
finish
