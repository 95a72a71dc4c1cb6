#!/usr/bin/env bash
# Under qemu-user a System V message queue never says who received last, and mq_notify is not there.
# Guess: both go to the kernel, as sending and receiving do.
# Seen (qemu-user-static 7.2, x86-64 on x86-64): IPC_STAT gives the last receiver as 0, as of a queue from which nobody
# has taken a message; sender, times and counts are right. mq_notify says ENOSYS, while the other calls of POSIX queues
# work.
. "$(dirname "$0")/lib.sh"
unpack qemu-user-static=1:7.2+dfsg-7+deb12u18+b3
cat >queues.c <<'C'
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/msg.h>
#include <unistd.h>
int main(void)
{
    struct { long type; char text[8]; } message = { 1, "hello" };
    struct msqid_ds state;
    int queue = msgget(IPC_PRIVATE, 0600);
    memset(&state, 0, sizeof state);
    int bad = msgsnd(queue, &message, 8, 0) != 0 || msgrcv(queue, &message, 8, 0, 0) != 8
        || msgctl(queue, IPC_STAT, &state) != 0;
    printf("System V: %s, last sender %s, last receiver %s\n", bad ? "?" : "works",
        state.msg_lspid == getpid() ? "right" : "wrong",
        state.msg_lrpid == getpid() ? "right" : state.msg_lrpid == 0 ? "0" : "wrong");
    msgctl(queue, IPC_RMID, NULL);
    struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
    char text[8192];
    mqd_t posix = mq_open("/finding", O_RDWR | O_CREAT, 0600, NULL);
    bad = mq_send(posix, "x", 1, 0) != 0 || mq_receive(posix, text, sizeof text, NULL) != 1;
    printf("POSIX: %s, mq_notify %s\n", bad ? "?" : "works",
        mq_notify(posix, &event) == 0 ? "0" : strerrorname_np(errno));
    mq_unlink("/finding");
    return 0;
}
C
gcc -Wall -static -o queues queues.c
expect 'the machine' 'System V: works, last sender right, last receiver right POSIX: works, mq_notify 0' \
    "$(./queues | paste -sd ' ')"
expect 'qemu-user' 'System V: works, last sender right, last receiver 0 POSIX: works, mq_notify ENOSYS' \
    "$(root/usr/bin/qemu-x86_64-static ./queues | paste -sd ' ')"
finish
