#!/usr/bin/env bash
# With kernel.shm_rmid_forced, a segment that nobody has attached yet goes with the thread that made it, while the
# process lives.
# Guess: as proc(5) says of the setting, segments go with the last process that uses them; the maker is the process.
# Seen (Linux 6.18): a helper thread that calls shmget and ends takes the segment with it. The main thread's own stays,
# and one that is attached stays as long as the attachment, which is the process's.
. "$(dirname "$0")/lib.sh"
printf 'kernel: %s\n' "$(uname -r)"
cat >thread.c <<'C'
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/shm.h>
#include <unistd.h>
static void *make(void *nothing)
{
    shmget(1, 4096, 0600 | IPC_CREAT);
    shmat(shmget(2, 4096, 0600 | IPC_CREAT), NULL, 0);
    return nothing;
}
static int threads(void)
{
    int count = -2;
    DIR *tasks = opendir("/proc/self/task");
    while (readdir(tasks)) count++;
    closedir(tasks);
    return count;
}
static void look(const char *what, key_t key)
{
    printf("%s %s, ", what, shmget(key, 0, 0) >= 0 ? "is there" : errno == ENOENT ? "is gone" : "?");
}
int main(void)
{
    pthread_t thread;
    shmget(3, 4096, 0600 | IPC_CREAT);
    pthread_create(&thread, NULL, make, NULL);
    pthread_join(thread, NULL); /* comes back before the kernel has done with the thread */
    while (threads() > 1) usleep(1000);
    look("the thread's", 1);
    look("the one that it attached", 2);
    look("the main thread's", 3);
    return 0;
}
C
gcc -Wall -o thread thread.c -pthread
kept="the one that it attached is there, the main thread's is there, "
expect 'shm_rmid_forced 0' "the thread's is there, $kept" "$(./thread)"
expect 'segments left' '3' "$(awk 'NR > 1' /proc/sysvipc/shm | wc -l)"
echo 1 >/proc/sys/kernel/shm_rmid_forced
expect 'segments left once it is 1' '0' "$(awk 'NR > 1' /proc/sysvipc/shm | wc -l)"
expect 'shm_rmid_forced 1' "the thread's is gone, $kept" "$(./thread)"
expect 'segments left' '0' "$(awk 'NR > 1' /proc/sysvipc/shm | wc -l)"
finish
