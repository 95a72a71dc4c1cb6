#!/usr/bin/env bash
# mq_timedreceive and mq_timedsend look at the deadline before they look at the queue.
# Guess: as mq_receive(3) and mq_send(3) say, a deadline is invalid only where "the call would have blocked"; with a
# message there, or room for one, it is not looked at, as POSIX has it for sem_timedwait too.
# Seen (Linux 6.18, glibc 2.36): EINVAL for a nanosecond too many, or for seconds below 0, with the message there. The
# time 0, which has passed, is fine: the message comes. semtimedop refuses such timeouts too, though it need not wait.
. "$(dirname "$0")/lib.sh"
printf 'kernel: %s\n' "$(uname -r)"
cat >deadline.c <<'C'
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <sys/sem.h>
#include <time.h>
int semtimedop(int, struct sembuf *, size_t, const struct timespec *);
static const char *said(int result)
{
    return result >= 0 ? "works" : errno == EINVAL ? "EINVAL" : "?";
}
static void try(const char *what, mqd_t queue, int set, long seconds, long nanoseconds)
{
    char message[8];
    struct timespec when = { seconds, nanoseconds };
    struct sembuf up = { 0, 1, 0 };
    printf("%s: receive %s, ", what, said(mq_timedreceive(queue, message, sizeof message, NULL, &when)));
    printf("send %s, ", said(mq_timedsend(queue, "a", 1, 0, &when)));
    printf("semtimedop %s\n", said(semtimedop(set, &up, 1, &when)));
}
int main(void)
{
    struct mq_attr attributes = { .mq_maxmsg = 9, .mq_msgsize = 8 };
    mqd_t queue = mq_open("/jobs", O_CREAT | O_EXCL | O_RDWR, 0600, &attributes);
    int set = semget(IPC_PRIVATE, 1, 0600);
    for (int index = 0; index < 4; index++)
        if (mq_send(queue, "a", 1, 0) != 0) return 1;
    try("passed", queue, set, 0, 0);
    try("nanoseconds", queue, set, time(NULL) + 60, 1000000000);
    try("seconds", queue, set, -1, 0);
    return mq_unlink("/jobs");
}
C
gcc -Wall -o deadline deadline.c
./deadline >seen
said() { sed -n "s/^$1: //p" seen; }
expect 'time that has passed' 'receive works, send works, semtimedop works' "$(said passed)"
expect 'a nanosecond too many' 'receive EINVAL, send EINVAL, semtimedop EINVAL' "$(said nanoseconds)"
expect 'seconds below 0' 'receive EINVAL, send EINVAL, semtimedop EINVAL' "$(said seconds)"
finish
